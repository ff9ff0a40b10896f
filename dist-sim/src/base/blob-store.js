// The one interface of everything that holds blobs: on this disk, in memory, behind the network, or around another
// store. Absence is `undefined`, never an exception. A store promises to whoever calls it:
//   - what `write` answered for can be read back, byte for byte, until it is deleted;
//   - what `open` yields is verified before it leaves: damage is the error `corrupt`, never wrong bytes;
//   - the empty blob is always there, and cannot be deleted, and is never listed or counted;
//   - all methods may be called concurrently.
export {};
