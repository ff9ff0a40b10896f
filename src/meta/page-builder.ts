// A page under construction: takes keys in order until there are enough of them, or enough bytes.

import { limits } from '../base/limits.js';
import type { KeyValue, Page } from './kv.js';

export class PageBuilder {
  readonly #items: KeyValue[] = [];
  readonly #limit: number;
  #bytes = 0;
  #more: boolean;

  /** `more`: there is more than will be added. */
  constructor(limit: number, more = false) {
    this.#limit = limit;
    this.#more = more;
  }

  get isFull(): boolean {
    return this.#items.length === this.#limit || this.#bytes >= limits.kvPageBytesMax;
  }

  /** A key too much is not taken; it tells that there is more. */
  add(item: KeyValue): void {
    if (this.isFull) {
      this.#more = true;
      return;
    }
    this.#items.push(item);
    this.#bytes += item.key.length + item.value.length;
  }

  get hasMore(): boolean {
    return this.#more;
  }

  end(): Page {
    return { items: this.#items, more: this.#more };
  }
}
