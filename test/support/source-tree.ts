// The project's own files as data, for the tests that hold the repository to its rules. TypeScript is read with a real
// parser, so a rule sees the code and not what a comment or a string says about it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { parseAst } from 'vitest/node';
import { projectRoot } from './project-root.js';

/** What the project consists of; everything else in a checkout is made, or somebody's own. */
const projectFolders = ['.ci', 'bench', 'bin', 'docs', 'proto', 'src', 'test'];

export interface SyntaxNode {
  readonly type: string;
  readonly [property: string]: unknown;
}

export interface ImportFact {
  /** As written, say `../base/digest.js` or `node:fs`. */
  readonly specifier: string;
  /** Names taken from the module; empty for a whole module or a dynamic import. */
  readonly names: readonly string[];
}

export interface SourceFile {
  /** From the project's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly syntax: SyntaxNode;
  /** Static, dynamic, re-exporting and type-only imports alike. */
  readonly imports: readonly ImportFact[];
}

/** Paths of all files of the project, from its root. */
export function projectFiles(): string[] {
  const inRoot = readdirSync(projectRoot, { withFileTypes: true }).filter((entry) => entry.isFile());
  const inFolders = projectFolders
    .filter((folder) => existsSync(join(projectRoot, folder)))
    .flatMap((folder) =>
      readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(projectRoot.length)),
    );
  return [...inRoot.map((entry) => entry.name), ...inFolders].sort();
}

export function readProjectFile(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

export function readSourceFile(path: string): SourceFile {
  const text = readProjectFile(path);
  const syntax = parseAst(text, { lang: 'ts' }) as unknown as SyntaxNode;
  return { path, text, syntax, imports: importsOf(syntax) };
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

/** Visits a node and all below it, parents first. `visit` answers false to leave out what is below. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => boolean | undefined,
  parent?: SyntaxNode,
): void {
  if (visit(node, parent) === false) return;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, visit, node);
  }
}

function importsOf(syntax: SyntaxNode): ImportFact[] {
  const imports: ImportFact[] = [];
  walk(syntax, (node) => {
    const source = node.source;
    if (!/^(Import|Export|TSImport)/.test(node.type) || !isNode(source)) return undefined;
    if (typeof source.value === 'string') {
      imports.push({ specifier: source.value, names: namesOf(node.specifiers) });
    }
    return undefined;
  });
  return imports;
}

function namesOf(specifiers: unknown): string[] {
  if (!Array.isArray(specifiers)) return [];
  return specifiers
    .map((specifier: SyntaxNode) => specifier.imported ?? specifier.local)
    .filter(isNode)
    .map((name) => String(name.name));
}

/** The project file a relative import of TypeScript names; undefined for a package's or Node's module. */
export function importedPath(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return normalize(join(dirname(from), specifier)).replace(/\.js$/, '.ts');
}
