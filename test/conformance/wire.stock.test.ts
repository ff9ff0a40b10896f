// The lane takes binary messages of some services. Everything else is answered by the same handlers without it.

import { composedWireSuite } from './wire-composed.js';

composedWireSuite({ lane: false, workers: 0 }, 'what the lane takes');
