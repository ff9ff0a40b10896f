// What a Raft driver stands on: a disk for the log, other nodes, a state machine. All calls return at once and answer by
// calling back, in a later turn or before they return; the order of the answers is said at each. An error from a disk or
// from the state machine is final: the driver stops, and only a restart, which reads what is really there, can help.
export {};
