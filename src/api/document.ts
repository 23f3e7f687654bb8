/**
 * /openapi.json, made from the schemas that validate.
 * Always true: it names each schema once, and only those that some route uses.
 */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';

const TITLE = 'Quorate';
const DESCRIPTION =
  'A lock service without a leader: equal peers grant leases by majority vote. Nothing but 200 ever means that a ' +
  'lock is held; every refusal says with `certainty` whether the request may have taken effect.';

/** Register before the routes. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: TITLE, description: DESCRIPTION, version } },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
}

/** The document, as text. */
export function documentOf(app: FastifyInstance): string {
  const whole = app.swagger() as { components?: { schemas?: Record<string, unknown> } };
  const schemas = whole.components?.schemas ?? {};
  const used = new Set<string>();
  const visit = (value: unknown): void => {
    for (const [, name] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (used.has(name!)) continue;
      used.add(name!);
      visit(schemas[name!]);
    }
  };
  visit({ ...whole, components: undefined });
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  const text = JSON.stringify({ ...whole, components: { schemas: kept } });
  // Each schema exists twice, as what goes in and as what comes out; where only the former is used it needs no suffix.
  return text.replace(/"(#\/components\/schemas\/)?(\w+)Input"/g, (all, path = '', name: string) =>
    used.has(name) || !used.has(`${name}Input`) ? all : `"${path}${name}"`,
  );
}
