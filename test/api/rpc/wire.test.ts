import { wireSuite } from '../../conformance/wire.js';
import { startRpcServer } from './rpc-server.js';

wireSuite('the RPC listener over a store in memory', () => startRpcServer());
