// zako.v1.cas, whichever way it is spoken to.

import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { emptyDigest } from '../../src/base/digest.js';
import { Protocol } from '../../src/gen/zako/v1/net/net_pb.js';
import { collect, freshBlob, sequence } from './wire-blobs.js';
import { expectCode, type WireCaller, wireDigest } from './wire-caller.js';
import type { Face } from './wire-faces.js';

export function casSuite(face: Face, caller: () => WireCaller): void {
  describe('NegotiateBlobs', () => {
    if (!face.supportsBidi) {
      it('is refused, since it needs HTTP/2', async () => {
        await expect(collect(caller().cas.negotiateBlobs(sequence([{}])))).rejects.toBeInstanceOf(ConnectError);
      });
      return;
    }

    it('answers each request in order, also when nothing is missing', async () => {
      const here = await caller().stored(freshBlob(100));
      const gone = freshBlob(100);
      const answers = await collect(
        caller().cas.negotiateBlobs(
          sequence([
            { blobDigests: [gone.message, here.message] },
            { blobDigests: [here.message] },
            { blobDigests: [] },
            { blobDigests: [gone.message] },
          ]),
        ),
      );
      expect(
        answers.map(({ missingBlobDigests }) => missingBlobDigests.map(({ blake3 }) => Buffer.from(blake3))),
      ).toEqual([[gone], [], [], [gone]].map((blobs) => blobs.map(({ digest }) => Buffer.from(digest.hash))));
    });

    it('answers a request before the next is sent', async () => {
      let sendSecond = () => {};
      const firstAnswered = new Promise<void>((resolve) => {
        sendSecond = resolve;
      });
      const requests = (async function* () {
        yield { blobDigests: [freshBlob(10).message] };
        await firstAnswered;
        yield { blobDigests: [] };
      })();
      const counts: number[] = [];
      for await (const { missingBlobDigests } of caller().cas.negotiateBlobs(requests)) {
        counts.push(missingBlobDigests.length);
        sendSecond();
      }
      expect(counts).toEqual([1, 0]);
    });

    it('names the missing in request order, each once, and those of another size', async () => {
      const here = await caller().stored(freshBlob(100));
      const otherSize = { ...here.message, sizeBytes: 99n };
      const [a, b] = [freshBlob(50), freshBlob(60)];
      const asked = [b.message, otherSize, a.message, b.message, here.message, a.message, otherSize];
      const [answer] = await collect(caller().cas.negotiateBlobs(sequence([{ blobDigests: asked }])));
      expect(answer?.missingBlobDigests).toMatchObject([b.message, otherSize, a.message].map(wireDigest));
    });

    it('has the empty blob', async () => {
      const empty = { sizeBytes: 0n, blake3: emptyDigest.hash };
      const [answer] = await collect(caller().cas.negotiateBlobs(sequence([{ blobDigests: [empty] }])));
      expect(answer?.missingBlobDigests).toEqual([]);
    });

    it('refuses a malformed digest', async () => {
      const short = { sizeBytes: 1n, blake3: new Uint8Array(31) };
      await expectCode(
        Code.InvalidArgument,
        collect(caller().cas.negotiateBlobs(sequence([{ blobDigests: [short] }]))),
      );
    });
  });

  describe('GetTransportDetails', () => {
    it('tells the address that was reached, a token and how many transfers serve best', async () => {
      const details = await caller().cas.getTransportDetails({ supportedProtocols: [Protocol.grpc] });
      expect(details.serverAddr?.ip?.ipAddr).toEqual({ case: 'v4', value: 0x7f00_0001 });
      expect(details.serverAddr?.port).toBe(Number(new URL(caller().baseUrl).port));
      expect(details.authToken).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(details.recommendedConcurrency).toBeGreaterThan(0);
    });

    it('refuses when no protocol of ours is supported', async () => {
      await expectCode(Code.FailedPrecondition, caller().cas.getTransportDetails({ supportedProtocols: [] }));
    });
  });
}
