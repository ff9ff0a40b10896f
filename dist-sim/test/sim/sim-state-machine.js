// A node's applied state, which outlives the node's processes: registers and the state of the group. What is applied is
// durable after a later sync; a crash keeps what was synced, and of the rest a beginning.
import { decodeCommand, execute } from './command.js';
export class SimStateMachine {
    current;
    durable;
    stalledUntil = 0;
    /** Up to this time what is applied does not become durable. */
    syncsLagUntil = 0;
    /** Snapshots that others may fetch, newest last. They are files: a crash leaves them. */
    snapshots = [];
    #random;
    /** States after each batch that is not synced yet. */
    #unsynced = [];
    #installing;
    #isSyncScheduled = false;
    constructor(group, random) {
        this.current = { group, registers: new Map() };
        this.durable = this.current;
        this.#random = random;
    }
    /** The state machine of one process. */
    machine(times, now, after, watch) {
        const work = (delay, run) => after(delay + Math.max(0, this.stalledUntil - now()), run);
        const lag = () => Math.max(0, this.syncsLagUntil - now());
        const scheduleSync = () => {
            if (this.#isSyncScheduled)
                return;
            this.#isSyncScheduled = true;
            work(this.#random.between(1, times.syncMaxMachine) + lag(), () => {
                this.#isSyncScheduled = false;
                this.durable = this.current;
                this.#unsynced = [];
            });
        };
        const durableIndex = () => this.durable.group.index;
        return {
            get durableIndex() {
                return durableIndex();
            },
            apply: ({ entries, after: group }, done) => work(this.#random.below(times.applyMax + 1), () => {
                const registers = new Map(this.current.registers);
                let version = this.current.group.clusterVersion;
                const results = entries.map((entry) => {
                    watch.applied(entry, version);
                    if (entry.kind === 'version')
                        version = Math.max(version, entry.data[0]);
                    return entry.kind === 'command' && execute(registers, decodeCommand(entry.data));
                });
                const changes = entries.filter(({ kind }) => kind === 'config').length;
                if (changes === 1)
                    watch.configured(this.current.group.configuration, group.configuration);
                this.current = { group, registers };
                this.#unsynced.push(this.current);
                scheduleSync();
                done(undefined, results);
            }),
            makeSnapshot: (done) => work(this.#random.below(times.snapshotMax + 1), () => {
                this.snapshots = [...this.snapshots.slice(-1), this.current];
                done(undefined, this.current.group);
            }),
            install: (fetched, _group, done) => {
                this.#installing = fetched;
                work(this.#random.below(times.snapshotMax + 1), () => {
                    this.#installing = undefined;
                    this.current = fetched;
                    this.durable = fetched;
                    this.#unsynced = [];
                    watch.installed(fetched);
                    done();
                });
            },
        };
    }
    crash() {
        const kept = this.#random.below(this.#unsynced.length + 1);
        if (kept > 0)
            this.durable = this.#unsynced[kept - 1];
        if (this.#installing !== undefined && this.#random.chance(0.5))
            this.durable = this.#installing;
        this.current = this.durable;
        this.#unsynced = [];
        this.#installing = undefined;
        this.#isSyncScheduled = false;
    }
}
