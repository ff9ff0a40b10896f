// The repository's own rules, held against its real files, so that they cannot rot. docs/ARCHITECTURE.md says why each
// exists. Every rule lists what breaks it; an empty list is a pass.

import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from './support/project-root.js';
import {
  importedPath,
  projectFiles,
  readProjectFile,
  readSourceFile,
  type SourceFile,
  type SyntaxNode,
  walk,
} from './support/source-tree.js';

/** Room → rooms it may import. Its own files it may import always. From the roof to the ground. */
const roomTable: Readonly<Record<string, readonly string[]>> = {
  cli: ['server', 'client', 'tree', 'meta', 'blake3', 'base'],
  server: [
    'api',
    'client',
    'cluster',
    'replication',
    'file',
    'tree',
    'meta',
    'chunk',
    'cas',
    'raft',
    'log',
    'blake3',
    'base',
  ],
  api: ['cluster', 'replication', 'file', 'tree', 'meta', 'chunk', 'cas', 'log', 'blake3', 'base', 'gen'],
  client: ['tree', 'meta', 'chunk', 'blake3', 'base', 'gen'],
  cluster: ['replication', 'meta', 'base'],
  replication: ['meta', 'base'],
  file: ['tree', 'chunk', 'meta', 'base'],
  tree: ['blake3', 'base'],
  meta: ['raft', 'log', 'blake3', 'base', 'gen'],
  chunk: ['blake3', 'base'],
  cas: ['log', 'blake3', 'base'],
  raft: ['base'],
  log: ['base'],
  blake3: ['base'],
  base: [],
  gen: [],
};

const fileSystemRooms = ['log', 'cas', 'meta', 'server', 'cli'];
/** Engines of the metadata that are clients, or servers, of other machines. */
const isRemoteEngine = (path: string) => /^src\/meta\/(etcd|raft\/)/.test(path);
const transportErrorRooms = ['api', 'client'];
const clockAndRandom = ['src/base/clock.ts', 'src/base/random.ts'];
/** Folders of test/ whose tests follow a theme instead of one source file. */
const themedTestFolders = ['conformance', 'e2e', 'fault', 'fuzz', 'server', 'sim', 'support'];
/** Tests of a whole room from outside: all its parts together, or several implementations against one list of answers. */
const roomWideTests = [
  'test/api/rpc/buf-curl.test.ts',
  'test/blake3/vectors.test.ts',
  'test/raft/traps.test.ts',
  'test/bench/quick.test.ts',
];
const linesMax = 500;

const files = projectFiles();
const typeScript = files.filter((path) => path.endsWith('.ts') && !path.startsWith('src/gen/')).map(readSourceFile);
const sources = typeScript.filter((file) => file.path.startsWith('src/'));
const generated = files.filter((path) => path.startsWith('src/gen/')).map(readSourceFile);
const markdown = files.filter((path) => path.endsWith('.md'));

function roomOf(path: string): string {
  return path.split('/').slice(1, -1)[0] ?? '';
}

/** Imports of the project's own files, resolved. */
function ownImports(file: SourceFile): string[] {
  return file.imports.map(({ specifier }) => importedPath(file.path, specifier)).filter((path) => path !== undefined);
}

/** Every node of the file's code for which `breaks` gives a reason, as `path: reason`. */
function findNodes(file: SourceFile, breaks: (node: SyntaxNode, parent?: SyntaxNode) => string | undefined): string[] {
  const found: string[] = [];
  walk(file.syntax, (node, parent) => {
    const reason = breaks(node, parent);
    if (reason !== undefined) found.push(`${file.path}: ${reason}`);
    return undefined;
  });
  return found;
}

function matchesIn(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    [...readProjectFile(path).matchAll(new RegExp(pattern, 'g'))].map(([match]) => `${path}: ${match}`),
  );
}

describe('rooms', () => {
  it('every source file lies in a room of the table', () => {
    expect([...sources, ...generated].map((file) => file.path).filter((path) => !(roomOf(path) in roomTable))).toEqual(
      [],
    );
  });

  it('a room imports only the rooms listed for it', () => {
    const strangers = [...sources, ...generated].flatMap((file) => {
      const room = roomOf(file.path);
      return ownImports(file)
        .filter((target) => roomOf(target) !== room && !roomTable[room]?.includes(roomOf(target)))
        .map((target) => `${file.path} imports ${target}`);
    });
    expect(strangers).toEqual([]);
  });

  it('the table itself has no circle', () => {
    const table = Object.entries(roomTable).map(([room, imports]) => [room, imports] as const);
    expect(findCycle(new Map(table))).toBeUndefined();
  });

  it('no source file imports itself through others', () => {
    expect(findCycle(new Map(sources.map((file) => [file.path, ownImports(file)])))).toBeUndefined();
  });

  it('generated code is imported only by the faces, the client and the engines that speak to other machines', () => {
    const strangers = sources
      .filter((file) => !['api', 'client'].includes(roomOf(file.path)) && !isRemoteEngine(file.path))
      .filter((file) => ownImports(file).some((target) => roomOf(target) === 'gen'));
    expect(strangers.map((file) => file.path)).toEqual([]);
  });

  it('the file system is reached only from rooms that own files', () => {
    const strangers = sources
      .filter((file) => !fileSystemRooms.includes(roomOf(file.path)) && !file.path.startsWith('src/base/node/'))
      .filter((file) => file.imports.some(({ specifier }) => /^(node:)?fs(\/|$)/.test(specifier)));
    expect(strangers.map((file) => file.path)).toEqual([]);
  });

  it('base runs in a browser, its node/ folder aside', () => {
    const bound = sources
      .filter((file) => roomOf(file.path) === 'base' && !file.path.startsWith('src/base/node/'))
      .flatMap((file) => file.imports.map(({ specifier }) => `${file.path} imports ${specifier}`))
      .filter((line) => /imports (node:|\.\/node\/)/.test(line));
    expect(bound).toEqual([]);
  });

  it('only faces and clients know Connect errors, and the engines that speak to other machines', () => {
    const strangers = sources
      .filter((file) => !transportErrorRooms.includes(roomOf(file.path)) && !isRemoteEngine(file.path))
      .filter((file) => file.imports.some(({ names }) => names.includes('ConnectError')));
    expect(strangers.map((file) => file.path)).toEqual([]);
  });
});

describe('time and chance', () => {
  const forbidden = new Set(['Date', 'setTimeout', 'setInterval', 'randomUUID']);

  it('come in through base/clock.ts and base/random.ts', () => {
    const uses = sources
      .filter((file) => !clockAndRandom.includes(file.path))
      .flatMap((file) =>
        findNodes(file, (node, parent) => {
          if (node.type !== 'Identifier') return undefined;
          const name = String(node.name);
          const owner = memberOwner(node, parent);
          if (owner === 'Math' && name === 'random') return 'Math.random';
          if (!forbidden.has(name) || isOnlyAName(node, parent)) return undefined;
          // `stream.setTimeout` and the like are methods of other things; `globalThis.setTimeout` is the clock.
          return owner === undefined || owner === 'globalThis' || name === 'randomUUID' ? name : undefined;
        }),
      );
    expect(uses).toEqual([]);
  });
});

describe('files', () => {
  it('every source file opens with a comment that says what it is', () => {
    expect(sources.filter((file) => !/^(#!.*\n)?\/[/*]/.test(file.text)).map((file) => file.path)).toEqual([]);
  });

  it(`no TypeScript file is longer than ${linesMax} lines`, () => {
    const long = typeScript.map((file) => ({ path: file.path, lines: file.text.split('\n').length - 1 }));
    expect(long.filter(({ lines }) => lines > linesMax)).toEqual([]);
  });

  it('nothing is exported by default', () => {
    const exported = typeScript
      .filter((file) => file.path !== 'vitest.config.ts')
      .flatMap((file) =>
        findNodes(file, (node) => {
          const name = node.type === 'ExportSpecifier' ? (node.exported as SyntaxNode).name : undefined;
          return node.type === 'ExportDefaultDeclaration' || name === 'default' ? 'default export' : undefined;
        }),
      );
    expect(exported).toEqual([]);
  });

  it('the type checker is not silenced', () => {
    const escapes = typeScript.flatMap((file) =>
      findNodes(file, (node) => (node.type === 'TSAnyKeyword' ? 'any' : undefined)),
    );
    const paths = typeScript.map((file) => file.path);
    expect([...escapes, ...matchesIn(paths, /@ts-(ignore|expect-error|nocheck)/)]).toEqual([]);
  });

  it('every test mirrors a source file or lies in a folder of its own theme', () => {
    const strays = typeScript
      .map((file) => file.path)
      .filter(
        (path) => /^test\/.*\.test\.ts$/.test(path) && path !== 'test/tidy.test.ts' && !roomWideTests.includes(path),
      )
      .filter((path) => !themedTestFolders.includes(roomOf(path)))
      .filter((path) => !existsSync(join(projectRoot, mirrored(path))));
    expect(strays).toEqual([]);
  });

  it('no package registry is named, so an install works wherever it is done', () => {
    const hosts = /https?:\/\/[\w.-]*(registry|npm|mirror|artifactory|nexus|pypi)[\w.-]*|\b_authToken\b|^registry\s*=/m;
    expect([...files.filter((path) => path.endsWith('.npmrc')), ...matchesIn(files, hosts)]).toEqual([]);
  });

  it('relative links in Markdown lead somewhere', () => {
    expect(markdown.flatMap(deadLinks)).toEqual([]);
  });
});

/** The first circle met, from a name back to itself; undefined when there is none. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (name: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    if (finished.has(name)) return undefined;
    for (const next of graph.get(name) ?? []) {
      const cycle = visit(next, [...trail, name]);
      if (cycle !== undefined) return cycle;
    }
    finished.add(name);
    return undefined;
  };
  for (const name of graph.keys()) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** For `b` in `a.b`, the name `a`, or '' when `a` is no plain name; undefined where the node is no member. */
function memberOwner(node: SyntaxNode, parent: SyntaxNode | undefined): string | undefined {
  if (parent?.type !== 'MemberExpression' || parent.property !== node) return undefined;
  return String((parent.object as SyntaxNode).name ?? '');
}

/** A type's name, or the key of a property: a word that is spelled the same. */
function isOnlyAName(node: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  return parent?.type === 'TSTypeReference' || parent?.type === 'TSTypeQuery' || parent?.key === node;
}

/** `test/log/x.test.ts` and `test/log/x.aspect.test.ts` belong to `src/log/x.ts`. */
function mirrored(testPath: string): string {
  return testPath.replace(/^test\//, 'src/').replace(/(\.[\w-]+)?\.test\.ts$/, '.ts');
}

function deadLinks(path: string): string[] {
  const prose = readProjectFile(path)
    .replace(/^```[\s\S]*?^```/gm, '')
    .replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => !leadsSomewhere(path, target))
    .map((target) => `${path}: ${target}`);
}

function leadsSomewhere(from: string, target: string): boolean {
  const [file, anchor] = target.split('#') as [string, string | undefined];
  const path = file === '' ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(projectRoot, path))) return false;
  return anchor === undefined || anchorsOf(readProjectFile(path)).includes(anchor);
}

/** Anchors as code hosts make them: lower case, punctuation dropped, spaces to hyphens. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ +(.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
