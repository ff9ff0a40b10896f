// The constants of FastCDC 2020: a 64-bit number for each byte, and masks by the number of bits that they ask for. The
// numbers are the first 8 bytes, big-endian, of the MD5 of that byte repeated 64 times; the masks are those of the
// reference implementations. Chunks of equal bytes are equal only while nobody changes either.

import { assert } from '../base/errors.js';

/** 256 big-endian numbers of 8 bytes, in Base64. */
const gearText = [
  'O108fSB+N9x4TWi6kRIwhs1SiA+ILnKY6s+OThn9zKfDHzhd+9FjKx1fJwAeJavmgxML3jya2ZHEsiVnbpt2SaoymyngjrSZtn/L0h5XfVgAJ7qq',
  '2irPa+PvLVrHPCImCJDyTW7TEreoCeA2hR18fvCm/l4AE9gbHQJjBEUs7BQDhkYyZI4kj82qzz3Nkrm09eAS5jwYeFaIYvnTghwAtqgvczh1D2+K',
  'Hlg9xsHLC296MUW2l0On8auyD+5ASAfrsUs8/ge4Ol253CeJituaDzcD9ekbqmK+zwu4ZoFffZg9mGfEHqnc0xvh+mVEK/IsFDANpMVWMdnmmOnL',
  'xlRcmUdjEH7GTpKlxlgh/GVpaiR2GWwGSCLwt0hb6EHzUl4B9lK8nIWXT/XK2DUvrOnj6Spu0dzrNemOxvSDutwRaA88/YwX6c8S8Ym4PF4upWRx',
  'rmZc/STjkqnsM8TlBMuJFT+5sV/J/nRR1/0f0ZRfIZUxreCFNEPv2CVe/Jhj4eLSEOq2AI1WQs9G8EhjJXrIBKUtxCp4mifT2qrfnOd69WVrR5zV',
  'PYf+u2MJ4tP5PbcvxXOP+6of+dZr1X8/Ja95aGdgVIbZDQpK4U0LlmO/va63u9jYFusEFN74pPFrNaEW55Mthaqv/tYIFhy66Qz9SIVVB76ylPCL',
  'kSNOpv/TmbKtcM9LJDXzAtKJqXVlvC0njlWEN//Kmd6W0nBLcRXAQAiJu838Zg5BXg1OZ9ySEo1yqfiRcGPtl0OLadQJ4Bbj30/til2KQ5cA9B3P',
  'QdQD90gU6wOOUmA/na+6zFji1lH+L0WOS+Fwr0RX7EFN9qlABuYvFFESMxS9EBTRc7qSzN7zGOJe1Xdgn+oN6d/KhSVFneHnbCBiS67sGJYX4tZm',
  'EmosBqtag8uxMhUyNg9hMmVCFQPbtAEjLWfCh+oImrNsk7/1pWvWtk/7IDbKttmNznt4WxvnrU/ttC72GJ/RY9yQUohwOYj2Nl+cHSxpGITGQFg2',
  'gNmb/jzUYkwHWT7Gfx6o2F18WAUBSELUgLVxSQtkm8tagoaIvNVwjtebGPDph8hi+9Ly8JgnMWcfDNgsuvE+ixbYwGOOoxCcvZUbutFBBFv7OFyt',
  'KsvBoK8ffTDmRE2J3wO/36GMx3G4GI/5mDRCnbAcObshSt0H/ghqH48HwZsfaz/5VqKXsb9P/lWU1Vjkk8VPx0C/wkx2RVLLkxpwb4qFIMsyIp0y',
  'KTW9UiVg0PXcT++vnbzEg1WWm7YP2Bw5hcC1auA4F+FWDyvawbtPgdiSstWwxIZPTijS1z7MSfnZ1sJjUTB+mbUrpl6K8raI2oSnUvXXJSO5GyC2',
  'bZX/H/RjSAZWLyFVVFgzmsDOR/iJM2NGSHgj5QibQNjkcnx+vG2VklqPcnfpSXC6/KL0BrHIu1BbH4qV8XkQcNMEr5/JAoYFVECrf8kw50gxLSX7',
  'yiq1oRD0pLI0pNV1kDAdVQR+dHM7Y3KIbGFZHik0Ard8RE4GRR80pNPpfdcxWNgU2BvFewNJQkJbm9pp4gMv+eUy2btirgZriyF55ZVF4QwvjXHY',
  'f/dIPrLSP8AAlF/OvcmNhodku76ZsmyiGx7GIoTAv8NY4PzE8Ko2K19KvvqHjUWN/XSsL5YHxRmk4/s334y/qb9pfkPKxXTlhvFKP2j0zVMkoj0H',
  'bxzlIuclzYBIhozIvzxynrJGQ2LY9s1Xs8we2GMp5SQlVBV3YqpoitWuGsAKJCVmJpv4RRaLGkdTrKdL94mv7/8ufjxsM2IJO2/M20zo9QvSjAmy',
  'AGotuVroqpOXWw1iPD0ajBhgXTk1M4xbW7b2E2ytPHEPU6IHAfjYpquMWtLn6TxnQLWsUSesqimMe/Y8IHWJX3i9n34BSoBcssnp9PnIwDLv1gSY',
  'J+uR8yvkWfSCwW+92SzgxXRaqowKqo+ymNlluSs3+SxsgDsVjFSl6U4PDniV+bbpDAowMueTn6pDbHh00Wv+j2qKQMlEmCuGJj/S+uKF+zn5hOWD',
  'd5qN9y12GdPy15qN6NXdHtEDc1TWZoTiAEyCpOZoqOUx1Ap2aLBE5tcFeFOL0CwR20VDEHjF9IKXcSG7f2pRrXPVzL007/jd5DegfTVuF81Hsngg',
  'Q8lWJ5+yUUE+QdSazNcLYGUlE9MclbMeihtJssrnPf0by0wbNNmDMbH1tw94TjnyIzjZLxhhPUoGTfQg8dja4l8Lzr4z93wVroVe/DyIs7kS6xCc',
  'lWouyWuv7qUaoAW14K0Oh1UA1wUnxLuO42xXGWQhzEQTxNKGzDbuOVZUoj2BiyqBd7HcE9Fhq9xzT0TeX41etWBxfhdKbImi1H2WSSZqIR5bE6Qy',
  'K7aekPdmlgn4tfw8IeasVb7c2smbVrYrYRZt6vSPZrk5eX6cNfMy+cDmrprMcz9qmoeNsD2hYeQcwQjCt9dK5TWRTVFNSTsLEdNkac4mTR37qXQa',
  'qdHy3HQ23AZwc4AWYEwqJyMdNuluk/PVdmaIEZeDjRlKKoMJCqrUDPHnYVkWaLNdc2MjZJf3MKcwEIDjc3ndTVAt6ilxgnBCwsXrhY8yYl94avue',
  '36+9/9ruDYaEkLKkYXNmsyaGCfauDjWg/kYXPtGgfek+gk8RB5uLEV6kzKiTqZJ0VY+uu/sebiLgigOz6mNf26NpjdDPU2WTKFA6XM3jsx5v1deA',
  'jj5CIdNhRBPvFNDYa/GiLOHYMNPxbF3bqr0rKkUVBOE=',
].join('');

/** A number of 64 bits as two of 32: shifts and sums of both halves need no BigInt. */
export interface Halves {
  readonly high: number;
  readonly low: number;
}

/** `table[byte]`, each half of the numbers on its own. */
export interface GearTable {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** The table, with every number's low and high half XORed with the seed, as the reference does it. */
export function gearTable(seed = 0n): GearTable {
  const bytes = Uint8Array.from(atob(gearText), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const seedHalves = halvesOf(seed);
  const high = Uint32Array.from({ length: 256 }, (_, byte) => view.getUint32(8 * byte) ^ seedHalves.high);
  const low = Uint32Array.from({ length: 256 }, (_, byte) => view.getUint32(8 * byte + 4) ^ seedHalves.low);
  return { high, low };
}

/** The one that files are cut with. */
export const standardGear: GearTable = gearTable();

/** Bits → mask, from 5 bits to 25. None has its highest bit set. */
const masks: readonly bigint[] = [
  0x0000000001804110n,
  0x0000000001803110n,
  0x0000000018035100n,
  0x0000001800035300n,
  0x0000019000353000n,
  0x0000590003530000n,
  0x0000d90003530000n,
  0x0000d90103530000n,
  0x0000d90303530000n,
  0x0000d90313530000n,
  0x0000d90f03530000n,
  0x0000d90303537000n,
  0x0000d90703537000n,
  0x0000d90707537000n,
  0x0000d91707537000n,
  0x0000d91747537000n,
  0x0000d91767537000n,
  0x0000d93767537000n,
  0x0000d93777537000n,
  0x0000d93777577000n,
  0x0000db3777577000n,
];
const maskBitsMin = 5;

export function maskOfBits(bits: number): Halves {
  const mask = masks[bits - maskBitsMin];
  assert(mask !== undefined, `there is a mask of ${bits} bits`);
  return halvesOf(mask);
}

function halvesOf(value: bigint): Halves {
  return { high: Number(value >> 32n), low: Number(value & 0xffff_ffffn) };
}
