// Whether this node is in maintenance: kept in the metadata, so that it outlives a restart, and at hand for every write.
// Nobody else writes this node's key.

import { CairnError } from '../base/errors.js';
import { textKey } from '../meta/keys.js';
import type { KvStore } from '../meta/kv.js';

export class Maintenance {
  readonly #kv: KvStore;
  readonly #key: Uint8Array;
  #active: boolean;

  private constructor(kv: KvStore, key: Uint8Array, active: boolean) {
    this.#kv = kv;
    this.#key = key;
    this.#active = active;
  }

  static async open(kv: KvStore, nodeId: string): Promise<Maintenance> {
    const key = textKey(`cluster/maintenance/${nodeId}`);
    return new Maintenance(kv, key, (await kv.get(key)) !== undefined);
  }

  get active(): boolean {
    return this.#active;
  }

  /** Durable when answered. Saying it again changes nothing. */
  async set(active: boolean): Promise<void> {
    const key = this.#key;
    const none = new Uint8Array(0);
    await this.#kv.txn({
      success: [active ? { kind: 'put', key, value: none } : { kind: 'delete', range: { start: key } }],
    });
    this.#active = active;
  }

  /** `no_node` while it lasts. */
  refuseWrites(): void {
    if (this.#active) throw new CairnError('no_node', 'the node is in maintenance and takes nothing new');
  }
}
