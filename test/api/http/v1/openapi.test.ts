import { Type } from '@sinclair/typebox';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { apiRoute } from '../../../../src/api/http/v1/api-route.js';
import { openApiDocument } from '../../../../src/api/http/v1/openapi.js';

const thing = Type.Object(
  { id: Type.String(), parts: Type.Array(Type.Object({ size: Type.Integer() }, { $id: 'Part' })) },
  { $id: 'Thing' },
);

const document = openApiDocument(
  [
    apiRoute({
      method: 'GET',
      path: '/api/things/{thing_id}',
      need: 'read',
      summary: 'A thing',
      query: Type.Object({ at: Type.Integer({ minimum: 1 }), how: Type.Optional(Type.String()) }),
      data: thing,
      handle: () => ({ id: '', parts: [] }),
    }),
    apiRoute({
      method: 'DELETE',
      path: '/api/things/{thing_id}',
      need: 'delete',
      summary: 'No thing',
      handle: () => {},
    }),
    apiRoute({
      method: 'POST',
      path: '/api/things',
      need: 'write',
      summary: 'Things',
      body: Type.Array(thing),
      gives: 'multipart/mixed',
      handle: () => {},
    }),
  ],
  '1.2.3',
) as Record<string, never>;

describe('the OpenAPI document', () => {
  it('says where parameters are, and which are needed', () => {
    expect(document.paths).toMatchObject({
      '/api/things/{thing_id}': {
        get: {
          summary: 'A thing',
          parameters: [
            { name: 'thing_id', in: 'path', required: true, schema: { type: 'string' } },
            { name: 'at', in: 'query', required: true, schema: { type: 'integer', minimum: 1 } },
            { name: 'how', in: 'query', required: false, schema: { type: 'string' } },
          ],
        },
        delete: { parameters: [{ name: 'thing_id' }] },
      },
      '/api/things': {
        post: { requestBody: { required: true }, responses: { 200: { content: { 'multipart/mixed': {} } } } },
      },
    });
  });

  it('writes named shapes once, and refers to them', () => {
    const { schemas } = document.components as unknown as { schemas: Record<string, object> };
    expect(Object.keys(schemas).sort()).toEqual(['Error', 'Part', 'Thing']);
    expect(schemas.Thing).toMatchObject({ properties: { parts: { items: { $ref: '#/components/schemas/Part' } } } });
    expect(JSON.stringify(document)).not.toContain('$id');
  });

  it('has envelopes that fit what is answered', () => {
    const ajv = new Ajv2020({ strict: false }).addSchema(document, 'api');
    const schema = (method: string) =>
      ajv.compile({
        $ref: `api#/paths/~1api~1things~1%7Bthing_id%7D/${method}/responses/200/content/application~1json/schema`,
      });
    const success = { code: 0, message: 'success' };
    expect(schema('get')({ ...success, data: { id: 'x', parts: [{ size: 1 }] } })).toBe(true);
    expect(schema('get')({ ...success, data: { id: 'x', parts: [{ size: '1' }] } })).toBe(false);
    expect(schema('get')(success)).toBe(false);
    expect(schema('delete')(success)).toBe(true);
    expect(schema('delete')({ code: 1001, message: 'x' })).toBe(false);
  });
});
