// What goes wrong, and what operators do meanwhile. Each seed draws which kinds of trouble it has, so that some runs have a
// lot of one kind. An atlas keeps every fault survivable: processes may all stop, but no more than one disk of the group is
// ever lost at a time, and the next only when the group has replaced that one.
import { isJoint, isVoter, membersOf } from '../../src/raft/configuration.js';
import { encodeCommand } from './command.js';
const troubles = [
    'partition',
    'one-way',
    'heal',
    'crash',
    'crash-all',
    'pause',
    'disk-stall',
    'machine-stall',
    'machine-lag',
    'old-leader',
    'burst',
    'sync-failure',
    'transfer',
    'members',
    'wipe',
    'version',
    'weather',
];
/** A register of its own, which no client looks at. */
const burstKey = 200;
export class Nemesis {
    #parts;
    #kinds;
    #pauseMax;
    #isStopped = false;
    /** Changes of members that were proposed and have no outcome yet. */
    #changing = 0;
    changes = 0;
    crashes = 0;
    wipes = 0;
    constructor(parts) {
        this.#parts = parts;
        const { random } = parts;
        this.#kinds = ['heal', ...troubles.filter(() => random.chance(0.5))];
        this.#pauseMax = random.pick([40, 100, 300, 800]);
        this.#later();
    }
    #later() {
        const { queue, random } = this.#parts;
        queue.after(10 + random.below(this.#pauseMax), () => {
            if (this.#isStopped)
                return;
            const kind = random.pick(this.#kinds);
            this.#parts.trace.line(() => `${queue.now}ms trouble: ${kind}`);
            this.#parts.trace.note(troubles.indexOf(kind));
            this.#make(kind);
            this.#later();
        });
    }
    /** No more trouble, and what there is ends. */
    stop() {
        this.#isStopped = true;
        const { network, queue } = this.#parts;
        network.heal();
        network.faults = { loss: 0, repetition: 0, delay: 0, delayMax: 0 };
        for (const node of this.#parts.nodes()) {
            node.pausedUntil = Math.min(node.pausedUntil, queue.now);
            node.disk.stalledUntil = Math.min(node.disk.stalledUntil, queue.now);
            node.disk.failsNext = false;
            node.machine.stalledUntil = Math.min(node.machine.stalledUntil, queue.now);
            node.machine.syncsLagUntil = Math.min(node.machine.syncsLagUntil, queue.now);
            if (!node.isUp && !node.isWiped)
                node.start();
        }
    }
    /** The node whose process sees itself as the leader of the newest term. */
    leader() {
        const leaders = this.#parts.nodes().filter(({ driver }) => driver?.status().role === 'leader');
        return leaders.sort((a, b) => b.driver.status().term - a.driver.status().term)[0];
    }
    #make(kind) {
        const { random, network, queue } = this.#parts;
        const nodes = this.#parts.nodes().filter(({ isWiped }) => !isWiped);
        const node = random.chance(0.4) ? (this.leader() ?? random.pick(nodes)) : random.pick(nodes);
        switch (kind) {
            case 'partition': {
                const side = random.chance(0.5) ? [node] : nodes.filter(() => random.chance(0.5));
                for (const a of side) {
                    for (const b of nodes)
                        if (!side.includes(b))
                            this.#cut(a.id, b.id, true);
                }
                break;
            }
            case 'one-way':
                for (const other of nodes)
                    if (random.chance(0.6))
                        this.#cut(node.id, other.id, false);
                break;
            case 'heal':
                network.heal();
                break;
            case 'crash':
                this.crash(node);
                break;
            case 'crash-all':
                for (const each of nodes)
                    if (random.chance(0.8))
                        this.crash(each);
                break;
            case 'pause':
                node.pausedUntil = queue.now + 20 + random.below(600);
                break;
            case 'disk-stall':
                node.disk.stalledUntil = queue.now + 20 + random.below(600);
                break;
            case 'machine-stall':
                node.machine.stalledUntil = queue.now + 100 + random.below(2000);
                break;
            case 'machine-lag':
                node.machine.syncsLagUntil = queue.now + 100 + random.below(2000);
                break;
            case 'old-leader':
                this.#cutOffLeader();
                break;
            case 'burst':
                this.#burst(node);
                break;
            case 'sync-failure':
                node.disk.failsNext = true;
                break;
            case 'transfer': {
                const to = random.pick(nodes).id;
                this.leader()?.call((driver) => driver.transferLeadership(to));
                break;
            }
            case 'members':
                this.#changeMembers();
                break;
            case 'wipe':
                this.#wipe(node);
                break;
            case 'version':
                this.leader()?.call((driver) => driver.raiseVersion(2, () => { }));
                break;
            case 'weather':
                network.faults = {
                    loss: random.pick([0, 0, 0.02, 0.1, 0.3]),
                    repetition: random.pick([0, 0.02, 0.2]),
                    delay: random.pick([0, 0.05, 0.2]),
                    delayMax: random.pick([20, 100, 500]),
                };
                node.tickInterval = random.between(7, 14);
        }
    }
    /** A leader with a slow clock is cut off: it takes itself for the leader as long as that can be. */
    #cutOffLeader() {
        const { random, queue } = this.#parts;
        const old = this.leader();
        if (old === undefined)
            return;
        old.tickInterval = random.pick([10, 20]);
        for (const other of this.#parts.nodes()) {
            if (other === old)
                continue;
            other.tickInterval = random.pick([7, 10]);
            this.#cut(old.id, other.id, true);
        }
        this.#burst(old);
        queue.after(100 + random.below(500), () => this.#parts.network.heal());
    }
    /** Many proposals at once, on whoever takes them: logs that differ at length when the leader changes. */
    #burst(node) {
        const { random } = this.#parts;
        const count = random.between(5, 40);
        node.call((driver) => {
            for (let at = 0; at < count; at++) {
                const command = { kind: 'write', key: burstKey, from: 0, to: random.below(2 ** 31) };
                driver.propose(encodeCommand(command, random.below(60)), 1, () => { });
            }
        });
    }
    #cut(a, b, both) {
        const { network, random } = this.#parts;
        const out = random.chance(0.5);
        if (both || out)
            network.cut(a, b);
        if (both || !out)
            network.cut(b, a);
    }
    /** A process stops, and starts again some time later. */
    crash(node) {
        if (!node.isUp)
            return;
        this.crashes++;
        node.crash();
        const { queue, random } = this.#parts;
        queue.after(1 + random.below(random.pick([20, 300, 1500])), () => {
            if (!node.isUp && !node.isWiped)
                node.start();
        });
    }
    #propose(changes) {
        this.leader()?.call((driver) => {
            this.#changing++;
            driver.changeMembers({ changes, context: '' }, (outcome) => {
                this.#changing--;
                if (outcome.kind === 'applied')
                    this.changes++;
            });
        });
    }
    #changeMembers() {
        const { random } = this.#parts;
        const leader = this.leader();
        if (leader === undefined)
            return;
        const { configuration } = leader.driver.status().group;
        const wiped = membersOf(configuration).find((id) => this.#node(id)?.isWiped);
        if (wiped !== undefined) {
            this.#replace(wiped);
            return;
        }
        const { voters, learners } = configuration;
        const spare = this.#parts
            .nodes()
            .filter(({ id, isWiped }) => !isWiped && !membersOf(configuration).includes(id))
            .map(({ id }) => id);
        const changes = [];
        const count = random.pick([1, 1, 2, 3]);
        for (let at = 0; at < count; at++) {
            const id = random.pick([...voters, ...learners, ...spare]);
            changes.push({ id, type: random.pick(['voter', 'voter', 'learner', 'remove']) });
        }
        // Groups of fewer than three voters stand still when one process does; there are some, but not often.
        const gone = new Set(changes.filter(({ type }) => type !== 'voter').map(({ id }) => id));
        const left = new Set([...voters, ...changes.map(({ id }) => id)].filter((id) => !gone.has(id)));
        if (left.size >= 3 || (left.size > 0 && random.chance(0.1)))
            this.#propose(changes);
    }
    #replace(id) {
        const { random } = this.#parts;
        const nodes = this.#parts.nodes();
        const members = membersOf(this.leader().driver.status().group.configuration);
        const spare = nodes.find((node) => !node.isWiped && !members.includes(node.id)) ?? this.#parts.addNode();
        const changes = [{ id, type: 'remove' }];
        if (random.chance(0.8))
            changes.push({ id: spare.id, type: random.pick(['voter', 'learner']) });
        this.#propose(changes);
    }
    /** A disk is lost for good, and with it the node's id. */
    #wipe(node) {
        const leader = this.leader();
        if (leader === undefined || this.#changing > 0)
            return;
        const { group } = leader.driver.status();
        const { configuration } = group;
        const isLast = isVoter(configuration, node.id) && configuration.voters.length < 3;
        if (isLast || isJoint(configuration) || this.#isChangeUnderWay(group))
            return;
        if (this.#parts.nodes().some(({ id, isWiped }) => isWiped && membersOf(configuration).includes(id)))
            return;
        this.wipes++;
        this.#parts.trace.line(() => `wiped ${node.id} of ${JSON.stringify(leader.driver.status().group)}`);
        node.crash();
        if (this.#parts.reusesIds) {
            node.forgetAll();
            node.start();
            return;
        }
        node.isWiped = true;
        const { queue, random } = this.#parts;
        const replace = () => {
            const now = this.leader()?.driver?.status().group.configuration;
            if (this.#isStopped || (now !== undefined && !membersOf(now).includes(node.id)))
                return;
            if (now !== undefined)
                this.#replace(node.id);
            queue.after(100 + random.below(200), replace);
        };
        queue.after(random.below(300), replace);
    }
    /** Whether some log holds a change of members that its disk does not know to be committed, or the leader not in force. */
    #isChangeUnderWay({ configuration, index }) {
        const members = membersOf(configuration).map((id) => this.#node(id));
        return members.some(({ isWiped, written, durable, machine }) => {
            if (isWiped)
                return false;
            const known = Math.max(durable.hardState.commit, machine.durable.group.index);
            return written.entries.some((entry) => entry.kind === 'config' && entry.index > Math.min(known, index));
        });
    }
    #node(id) {
        return this.#parts.nodes().find((node) => node.id === id);
    }
}
