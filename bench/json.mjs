// json.mjs - the peer in bench/json: JSON.parse, then the validator that Ajv compiled from the same contract.
//
// It obeys the same commands as json.c, on standard input. Bodies are strings already when they are parsed: reading bytes as
// UTF-8, which a server would have to do first, is not counted.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const [contractFile, operationId] = process.argv.slice(2);
const contract = JSON.parse(readFileSync(contractFile, 'utf8'));
const isAccepted = compile(contract, operationId);
let bodies = [];

function compile(document, id) {
  const ajv = new Ajv.default({ strict: false }); // the contract is more than a schema
  addFormats.default(ajv);
  ajv.addSchema(document, 'contract');
  for (const [path, item] of Object.entries(document.paths)) {
    const method = Object.keys(item).find((name) => item[name].operationId === id);
    const escaped = encodeURIComponent(path.replaceAll('~', '~0').replaceAll('/', '~1'));
    if (method) return ajv.compile({ $ref: `contract#/paths/${escaped}/${method}/requestBody/content/application~1json/schema` });
  }
  throw new Error(`no operation ${id}`);
}

function accepts(body) {
  let value;
  try {
    value = JSON.parse(body);
  } catch {
    return false;
  }
  return isAccepted(value);
}

// CPU time of all threads: the collector's and the compiler's are part of the price.
function now() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function time(milliseconds) {
  const start = now();
  let end = start, count = 0, accepted = 0;
  while (end - start < milliseconds * 1000) {
    for (const body of bodies) accepted += accepts(body);
    count += bodies.length;
    end = now();
  }
  if (accepted !== count) throw new Error('a timed body was refused');
  return (((end - start) * 1000) / count).toFixed(1);
}

const commands = {
  bodies: (file) => { bodies = readFileSync(file, 'utf8').split('\n').filter((line) => line !== ''); },
  check: () => console.log(bodies.map((body) => (accepts(body) ? '1' : '0')).join('')),
  time: (milliseconds) => console.log(time(milliseconds)),
};
for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = line.split(' ');
  commands[command](argument);
}
