// Bytes that the whole process may hold for those who could do with less: buffers that grow, windows that widen. Everybody
// has a floor without asking; whoever wants more takes it here and gives it back. Who is refused goes on with the floor, and
// asks again with its next piece: nobody waits, so nobody who waits can hold up another.
import { assert } from './errors.js';
export class ByteBudget {
    #bytesMax;
    #takenBytes = 0;
    constructor(bytesMax) {
        this.#bytesMax = bytesMax;
    }
    get takenBytes() {
        return this.#takenBytes;
    }
    /** Takes all of it or nothing; whether it was granted. Refuses what would bring the whole above `totalBytesMax`. */
    take(bytes, totalBytesMax = this.#bytesMax) {
        if (this.#takenBytes + bytes > Math.min(totalBytesMax, this.#bytesMax))
            return false;
        this.#takenBytes += bytes;
        return true;
    }
    give(bytes) {
        this.#takenBytes -= bytes;
        assert(this.#takenBytes >= 0, 'nobody gives back more than was taken');
    }
}
