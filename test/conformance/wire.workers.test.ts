import { composedWireSuite } from './wire-composed.js';

composedWireSuite({ lane: true, workers: 2 });
