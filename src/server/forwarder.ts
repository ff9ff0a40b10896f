// Passes requests on to the owner's thread, and its answers back, whatever they are: a worker need not know what it does not
// answer itself. Each connection of a client has one of its own to the owner, made when it is first needed, so that the
// owner tells clients apart and applies its limits to each. Back-pressure goes through; so does the end of either side.

import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp1 } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { NodeRequest, NodeResponse } from '../api/request-listener.js';
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import { openTunnel } from './tunnel.js';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** About one connection alone (RFC 9110 section 7.6.1); `transfer-encoding` is made anew. */
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade']);

export class Forwarder {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #sessions = new WeakMap<ServerHttp2Session, ClientHttp2Session>();
  readonly #agents = new WeakMap<Socket, Agent>();

  /** `path` is the owner's end of the tunnel. */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Forwards a stream of HTTP/2 that nobody has answered yet. */
  stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const session = stream.session as ServerHttp2Session | undefined;
    // Whoever reset the stream knows why.
    stream.on('error', () => {});
    if (session === undefined || session.destroyed) return;
    let onward: ClientHttp2Stream;
    try {
      onward = this.#sessionFor(session).request(headers, { endStream: false });
    } catch {
      stream.close(NGHTTP2_INTERNAL_ERROR);
      return;
    }
    onward.on('error', () => {});
    forwardBody(stream, onward);
    forwardAnswer(onward, stream);
  }

  #sessionFor(client: ServerHttp2Session): ClientHttp2Session {
    const known = this.#sessions.get(client);
    if (known !== undefined && !known.destroyed && !known.closed) return known;
    const session = connect('http://owner', {
      createConnection: () => openTunnel(this.#path, client.socket as Socket),
      settings: {
        enablePush: false,
        initialWindowSize: limits.wideStreamWindowBytes,
        maxFrameSize: limits.frameBytesMax,
      },
      maxSessionMemory: limits.sessionMemoryMebibytesMax,
    });
    session.on('error', () => {});
    session.once('connect', () => session.setLocalWindowSize(limits.sessionWindowBytes));
    client.once('close', () => session.destroy());
    this.#sessions.set(client, session);
    return session;
  }

  /** Forwards a request of HTTP/1.1. */
  request(request: NodeRequest, response: NodeResponse): void {
    if ('stream' in request || 'stream' in response) return;
    const onward = requestHttp1({
      agent: this.#agentFor(request.socket),
      method: request.method,
      path: request.url,
      headers: endToEnd(request.rawHeaders),
      setHost: false,
    });
    onward.on('continue', () => response.writeContinue());
    onward.on('response', (answer) => answerFrom(answer, response));
    onward.on('error', () => {
      // Without an answer the client finds its connection closed, as when the server ends.
      if (!response.writableEnded) response.destroy();
    });
    request.on('error', () => {});
    response.on('error', () => {});
    response.once('close', () => {
      if (!response.writableFinished) onward.destroy();
    });
    response.once('finish', () => this.#leaveUnreadBody(request, onward));
    if (request.headers.expect !== undefined) onward.flushHeaders();
    request.pipe(onward);
  }

  #agentFor(client: Socket): Agent {
    let agent = this.#agents.get(client);
    if (agent === undefined) {
      const made = new Agent({ keepAlive: true, maxSockets: 1 });
      // The agent asks for a connection by this method, which its types do not know.
      Object.assign(made, { createConnection: () => openTunnel(this.#path, client) });
      client.once('close', () => made.destroy());
      this.#agents.set(client, made);
      agent = made;
    }
    return agent;
  }

  /** Forwards a connection as it is. */
  connection(client: Socket): { run(): Promise<void>; drain(): void } {
    const onward = openTunnel(this.#path, client);
    return {
      run: () =>
        new Promise((resolve) => {
          onward.on('error', () => {});
          client.on('error', () => {});
          onward.once('close', () => {
            client.destroySoon();
            resolve();
          });
          client.once('close', () => onward.destroy());
          client.pipe(onward);
          onward.pipe(client);
        }),
      drain() {
        // The owner answers what it has heard, and ends.
        client.unpipe(onward);
        client.resume();
        onward.end();
      },
    };
  }

  /** A client that goes on sending after its answer finds it only if the rest is read for a while. */
  #leaveUnreadBody(request: IncomingMessage, onward: ClientRequest): void {
    if (request.complete) return;
    request.unpipe(onward);
    onward.destroy();
    request.resume();
    this.#clock.after(limits.lingerMillisecondsMax, () => {
      if (!request.complete) request.socket.destroy();
    });
  }
}

function forwardBody(from: ServerHttp2Stream, to: ClientHttp2Stream): void {
  from.pipe(to, { end: false });
  from.on('end', () => {
    // Node ends the body of a stream that was reset as if it were complete.
    if (from.rstCode !== NGHTTP2_NO_ERROR || from.aborted) to.close(NGHTTP2_CANCEL);
    else to.end();
  });
  from.on('aborted', () => to.close(NGHTTP2_CANCEL));
  from.on('close', () => {
    if (!to.closed) to.close(from.rstCode === NGHTTP2_NO_ERROR ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
  });
}

function forwardAnswer(from: ClientHttp2Stream, to: ServerHttp2Stream): void {
  let trailers: IncomingHttpHeaders | undefined;
  /** Whether the body is out and the trailers are due; whether nothing more will come; whether all was sent. */
  let areDue = false;
  let isOver = false;
  let isSent = false;
  const finish = () => {
    if (to.destroyed || to.closed) return;
    // Node tells of trailers after the end of the body; that there are none, the end of the stream tells.
    if (areDue && !isSent && (trailers !== undefined || isOver)) {
      isSent = true;
      to.sendTrailers(trailers ?? {});
    }
    // Whoever still sends is told to stop, as the owner has been telling us.
    if (isSent && isOver && !to.readableEnded) to.close(NGHTTP2_NO_ERROR);
  };
  from.on('continue', () => {
    if (!to.destroyed && !to.headersSent) to.additionalHeaders({ ':status': 100 });
  });
  from.on('response', (headers, flags) => {
    if (to.destroyed || to.closed) return;
    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    isSent = endStream;
    to.respond(headers, { endStream, waitForTrailers: !endStream });
    if (endStream) return;
    to.once('wantTrailers', () => {
      areDue = true;
      finish();
    });
    from.pipe(to, { end: false });
  });
  from.on('trailers', (received) => {
    trailers = received;
    finish();
  });
  from.on('end', () => {
    if (from.rstCode === NGHTTP2_NO_ERROR && to.headersSent && !to.destroyed) to.end();
  });
  from.on('close', () => {
    isOver = true;
    if (from.rstCode === NGHTTP2_NO_ERROR && to.headersSent) finish();
    else if (!to.closed) to.close(from.rstCode || NGHTTP2_INTERNAL_ERROR);
  });
}

function answerFrom(answer: IncomingMessage, response: Exclude<NodeResponse, { readonly stream: unknown }>): void {
  if (answer.headers.connection === 'close') response.shouldKeepAlive = false;
  response.writeHead(answer.statusCode!, answer.statusMessage, endToEnd(answer.rawHeaders));
  answer.pipe(response);
  answer.on('close', () => {
    if (!answer.complete) response.destroy();
  });
}

/** Names and values by turns. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (!hopByHop.has(rawHeaders[i]!.toLowerCase())) kept.push(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  return kept;
}
