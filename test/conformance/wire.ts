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

export function wireSuite(name: string, start: () => Promise<WireServer>): void {
  describe(`wire: ${name}`, () => {
    let server: WireServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());
    const baseUrl = () => server.baseUrl;

    describe.each(faces)('$name', (face) => {
      const caller = useCaller(face, baseUrl);
      casSuite(face, caller);
      transportSuite(caller);
      blobServiceSuite(caller);
      treeServiceSuite(face, caller);
      introspectionSuite(face, caller);
    });
    describe.each(faces.filter(cutsInItsOwnWay))('$name', (face) => answerSizesSuite(face, useCaller(face, baseUrl)));
    describe('limits', () => limitsSuite(useCaller(grpcFace, baseUrl)));
    describe('grpc-js', () => grpcJsSuite(baseUrl));
  });
}
