// Plain work on bytes that runs in browsers too.
/** One array of all pieces. The only piece is returned as it is, without a copy. */
export function concatBytes(pieces) {
    if (pieces.length === 1)
        return pieces[0];
    let length = 0;
    for (const piece of pieces)
        length += piece.length;
    const whole = new Uint8Array(length);
    let offset = 0;
    for (const piece of pieces) {
        whole.set(piece, offset);
        offset += piece.length;
    }
    return whole;
}
