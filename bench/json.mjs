// json.mjs - the peer in bench/json: JSON.parse, then the validator that Ajv compiled from the same contract.
//
// It obeys the same commands as json.c, on standard input. Bodies are strings already when they are parsed: reading bytes as
// UTF-8, which a server would have to do first, is not counted.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const [documentFile, pointer] = process.argv.slice(2);
const ajv = new Ajv.default({ strict: false }); // the contract is more than a schema
addFormats.default(ajv);
ajv.addSchema(JSON.parse(readFileSync(documentFile, 'utf8')), 'contract');
const isAccepted = ajv.compile({ $ref: `contract#${pointer}` });
let bodies = [];

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
