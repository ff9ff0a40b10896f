// The Protocol Buffers files behind a set of services, found by file name or by the full name of anything in them.

import type { DescEnum, DescFile, DescMessage, DescService } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

export class DescriptorCatalog {
  readonly serviceNames: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #messages = new Set<string>();

  constructor(services: readonly DescService[]) {
    this.serviceNames = services.map(({ typeName }) => typeName).sort();
    for (const { file } of services) this.#addFile(file);
  }

  fileNamed(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** By the full name of a service, method, message, field, oneof, enum or enum value. */
  fileContaining(symbol: string): DescFile | undefined {
    return this.#symbols.get(symbol);
  }

  hasMessage(typeName: string): boolean {
    return this.#messages.has(typeName);
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const imported of file.dependencies) this.#addFile(imported);
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const method of service.methods) this.#symbols.set(`${service.typeName}.${method.name}`, file);
    }
    for (const message of file.messages) this.#addMessage(message, file);
    for (const enumeration of file.enums) this.#addEnum(enumeration, file.proto.package, file);
  }

  #addMessage(message: DescMessage, file: DescFile): void {
    this.#symbols.set(message.typeName, file);
    this.#messages.add(message.typeName);
    for (const { name } of [...message.fields, ...message.oneofs])
      this.#symbols.set(`${message.typeName}.${name}`, file);
    for (const nested of message.nestedMessages) this.#addMessage(nested, file);
    for (const nested of message.nestedEnums) this.#addEnum(nested, message.typeName, file);
  }

  /** The values of an enum are named beside it, not inside. */
  #addEnum(enumeration: DescEnum, scope: string, file: DescFile): void {
    this.#symbols.set(enumeration.typeName, file);
    for (const { name } of enumeration.values) this.#symbols.set(scope === '' ? name : `${scope}.${name}`, file);
  }
}

/** A file and all it imports, each once, as serialized FileDescriptorProtos; the file itself comes first. */
export function fileWithImports(file: DescFile): Uint8Array[] {
  const files = new Set<DescFile>();
  function add(added: DescFile): void {
    if (files.has(added)) return;
    files.add(added);
    for (const imported of added.dependencies) add(imported);
  }
  add(file);
  return [...files].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
}
