// One node: a disk and an applied state that stay, and processes that come and go. A process is the real driver on them. What
// a process was about to do when it stopped does not happen; while it is paused, it happens later.
import { SimDisk } from './sim-disk.js';
import { SimStateMachine } from './sim-state-machine.js';
export const tickMilliseconds = 10;
export const electionTicks = 10;
/** Small, so that every one of them is reached. */
const simLimits = {
    proposalBytesMax: 400,
    messageBytesMax: 600,
    inflightMessagesMax: 4,
    inflightBytesMax: 1500,
    uncommittedBytesMax: 4000,
    unappliedBytesMax: 6000,
    applyBytesMax: 800,
    waitingReadsMax: 16,
};
export class SimNode {
    id;
    disk;
    machine;
    driver;
    isWiped = false;
    pausedUntil = 0;
    /** The process has not yet done what follows from what it was told. */
    isLagging = false;
    tickInterval = tickMilliseconds;
    #world;
    #random;
    #process = 0;
    constructor(id, group, world, random) {
        this.id = id;
        this.disk = new SimDisk(world.implementation.emptyLog(group), random);
        this.machine = new SimStateMachine(group, random);
        this.#world = world;
        this.#random = random;
    }
    get written() {
        return this.disk.written;
    }
    get durable() {
        return this.disk.durable;
    }
    get isUp() {
        return this.driver !== undefined;
    }
    start() {
        const { implementation, checks, queue, times } = this.#world;
        const process = ++this.#process;
        this.pausedUntil = 0;
        this.isLagging = false;
        const after = (delay, run) => this.#after(process, delay, run);
        const now = () => queue.now;
        const recovered = implementation.recoverRaft(this.disk.durable, this.machine.durable.group);
        const { hardState, log } = recovered.start;
        checks.restarts(this, hardState.term, log.commit);
        const parts = {
            options: {
                id: this.id,
                electionTicks,
                heartbeatTicks: 2,
                versionMax: 2,
                random: (end) => this.#random.below(end),
                limits: simLimits,
            },
            driver: {
                requestTicks: 60,
                readRetryTicks: 10,
                logKeptBytes: 1000,
                logPinnedBytesMax: 8000,
                requestsMax: 32,
            },
            storage: this.disk.storage(times, now, after, (batch) => checks.write(this, batch)),
            transport: {
                send: (message) => {
                    checks.sends(this, message);
                    this.#world.send(message);
                },
                fetchSnapshot: (offer, done) => this.#world.fetch(offer, (state) => {
                    after(0, () => done(state === undefined ? {} : undefined, state));
                }),
                discardSnapshot: () => { },
            },
            stateMachine: this.machine.machine(times, now, after, {
                applied: (entry, clusterVersion) => checks.applies(this, entry, clusterVersion),
                configured: (before, after) => checks.configured(this, before, after),
                installed: (state) => this.#world.onInstalled(this, state),
            }),
            soon: (run) => {
                if (this.#random.chance(0.8)) {
                    run();
                    return;
                }
                this.isLagging = true;
                after(this.#random.below(2), () => {
                    this.isLagging = false;
                    run();
                });
            },
            onFailed: () => this.#world.onFailed(this),
        };
        this.driver = new implementation.RaftDriver(parts, recovered);
        this.#scheduleTick(process);
        this.#world.observe(this);
    }
    #scheduleTick(process) {
        this.#after(process, this.tickInterval, () => {
            this.driver.tick();
            if (process === this.#process)
                this.#scheduleTick(process);
        });
    }
    /** Runs something as this process: not when it has stopped, later when it is paused. */
    #after(process, delay, run) {
        const { queue, observe } = this.#world;
        queue.after(delay, () => {
            if (process !== this.#process || this.driver === undefined)
                return;
            if (this.pausedUntil > queue.now) {
                this.#after(process, this.pausedUntil - queue.now, run);
                return;
            }
            run();
            observe(this);
        });
    }
    receive(message) {
        if (this.driver === undefined)
            return;
        if (this.pausedUntil > this.#world.queue.now)
            this.#after(this.#process, 0, () => this.driver.receive(message));
        else
            this.call((driver) => driver.receive(message));
    }
    /** Calls this node's process. False: there is none, or it does not answer. */
    call(call) {
        if (this.driver === undefined || this.pausedUntil > this.#world.queue.now)
            return false;
        call(this.driver);
        this.#world.observe(this);
        return true;
    }
    /** An empty disk in place of the old one. */
    forgetAll() {
        const { emptyLog, joiningGroup } = this.#world.implementation;
        this.disk = new SimDisk(emptyLog(joiningGroup), this.#random);
        this.machine = new SimStateMachine(joiningGroup, this.#random);
    }
    /** The process is gone, with what was not durable. */
    crash() {
        if (this.driver === undefined)
            return;
        const { driver } = this;
        this.driver = undefined;
        this.#process++;
        this.disk.crash();
        this.machine.crash();
        driver.stop();
    }
}
