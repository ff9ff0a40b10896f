// Virtual time. Events happen in order of their time, and those of the same time in the order they were made; nothing else
// decides, so the same seed gives the same run. Times are milliseconds.

interface Event {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventQueue {
  now = 0;
  /** Events that have happened: a clock that never stands still. */
  steps = 0;
  /** A binary heap. */
  readonly #heap: Event[] = [];
  #order = 0;

  after(delay: number, run: () => void): void {
    const heap = this.#heap;
    const event = { time: this.now + delay, order: this.#order++, run };
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  /** Lets the next event happen. False: there is none. */
  step(): boolean {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined) return false;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
        if (!isBefore(heap[child]!, last)) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = last;
    }
    this.now = first.time;
    this.steps++;
    first.run();
    return true;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
