// boundary.mjs - the peer in bench/boundary: Fastify with its plugins for security headers, rate limits and tokens, and the schema of
// gate/api.yaml, which comes as JSON. A quota that is never reached is counted all the same.
//
// usage: node boundary.mjs PORT CONTRACT.json SECRET
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import helmet from '@fastify/helmet';
import jwt from '@fastify/jwt';
import rateLimit from '@fastify/rate-limit';

const [port, contractFile, secret] = process.argv.slice(2);
const { ItemId, CheckoutLine, CheckoutRequest } = JSON.parse(readFileSync(contractFile, 'utf8')).components.schemas;
const schema = structuredClone(CheckoutRequest);
schema.properties.lines.items = structuredClone(CheckoutLine);
schema.properties.lines.items.properties.itemId = ItemId;

// As strict as the contract: nothing is coerced and nothing is taken away in silence.
const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } });
await app.register(helmet);
await app.register(rateLimit, { max: 1e9, timeWindow: 1000 });
await app.register(jwt, { secret, cache: true });

const isAuthenticated = (request) => request.jwtVerify();
app.get('/nothing', (request, reply) => reply.code(204).send());
app.post('/orders', { schema: { body: schema } }, (request, reply) => reply.code(204).send());
app.post('/own-orders', { onRequest: isAuthenticated, schema: { body: schema } }, (request, reply) => reply.code(204).send());
await app.listen({ port: Number(port), host: '127.0.0.1' });
