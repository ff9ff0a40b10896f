// What every server must answer, whichever way it is spoken to: each RPC over each protocol, encoding and HTTP version
// that can carry it. A suite gets a server with an empty store and no required tokens.

import { afterAll, beforeAll, describe } from 'vitest';
import { answerSizesSuite } from './wire-answer-sizes.js';
import { blobServiceSuite } from './wire-blob-service.js';
import { useCaller } from './wire-caller.js';
import { casSuite } from './wire-cas.js';
import { type Face, faces, grpcFace } from './wire-faces.js';
import { grpcJsSuite } from './wire-grpc-js.js';
import { introspectionSuite } from './wire-introspection.js';
import { limitsSuite } from './wire-limits.js';
import { transportSuite } from './wire-transport.js';
import { treeServiceSuite } from './wire-tree-service.js';

/** What is cut where depends on the encoding alone; these tests are large, so they are not repeated over every connection. */
const cutsInItsOwnWay = ({ name }: Face) => ['gRPC, binary, HTTP/2', 'Connect, JSON, HTTP/1.1'].includes(name);

export interface WireServer {
  readonly baseUrl: string;
  stop(): Promise<void>;
}

/** All of it, or what the lane takes alone: for a server that differs from another by having none. */
export type WireScope = 'everything' | 'what the lane takes';

export function wireSuite(name: string, start: () => Promise<WireServer>, scope: WireScope = 'everything'): void {
  const isWhole = scope === 'everything';
  const spoken = faces.filter(({ isJson }) => isWhole || !isJson);
  describe(`wire: ${name}`, () => {
    let server: WireServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());
    const baseUrl = () => server.baseUrl;

    describe.each(spoken)('$name', (face) => {
      const caller = useCaller(face, baseUrl);
      casSuite(face, caller);
      transportSuite(caller);
      blobServiceSuite(caller);
      if (!isWhole) return;
      treeServiceSuite(face, caller);
      introspectionSuite(face, caller);
    });
    describe.each(spoken.filter(cutsInItsOwnWay))('$name', (face) => answerSizesSuite(face, useCaller(face, baseUrl)));
    describe('limits', () => limitsSuite(useCaller(grpcFace, baseUrl)));
    describe('grpc-js', () => grpcJsSuite(baseUrl));
  });
}
