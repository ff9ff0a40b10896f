// Holds real answers against the OpenAPI document that the same server gives.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Says what is wrong with an answer of JSON to `METHOD /path`; nothing is an empty text. */
export type CheckAnswer = (method: string, path: string, status: number, body: unknown) => string;

export function answerChecker(document: OpenApi): CheckAnswer {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  formats.default(ajv);
  ajv.addSchema(document, 'api');
  const compiled = new Map<string, ValidateFunction>();

  return (method, path, status, body) => {
    const template = Object.keys(document.paths).find((each) => patternOf(each).test(path.split('?')[0]!));
    const operation = document.paths[template ?? '']?.[method.toLowerCase()];
    if (template === undefined || operation === undefined)
      return status === 404 || status === 405 ? '' : 'not described';
    const outcome = status === 200 ? '200' : 'default';
    const pointer = [
      'paths',
      template,
      method.toLowerCase(),
      'responses',
      outcome,
      'content',
      'application/json',
      'schema',
    ];
    const ref = `api#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    const validate = compiled.get(ref) ?? ajv.compile({ $ref: ref });
    compiled.set(ref, validate);
    return validate(body) ? '' : ajv.errorsText(validate.errors);
  };
}

/** Fixed parts before those that stand for anything: paths are looked up in the order of the document. */
function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`);
}
