// The official Node.js driver, driven over JSON lines by tests/support/node_driver.py.
//
//   node driver.mjs FOLDER        FOLDER/node_modules holds the package mongodb
//
// A question is one line of Extended JSON, {id, on, calls, keep}: a chain of method calls, each [name, ...arguments], on
// an object that was kept, or on `roots` below. Its answer is {id, value}, {id, kept} or {id, error}. Questions are
// carried out side by side. What happens by itself is told by lines {event, of, ...}. The process ends when its input
// does and the driver has let go of everything.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const mongodb = createRequire(`${process.argv[2]}/package.json`)('mongodb');
const { BSON } = mongodb;

const kept = new Map();
const clients = new Set();
let lastKept = 0;

function tell(line) {
  process.stdout.write(`${BSON.EJSON.stringify(line, { relaxed: false })}\n`);
}

// What the tests read of the driver's events; whole events hold sockets, classes and loops of references.
const TOLD = {
  commandStarted: (e) => ({ command: e.commandName, address: e.address }),
  commandSucceeded: (e) => ({ command: e.commandName, address: e.address }),
  commandFailed: (e) => ({ command: e.commandName, address: e.address, failure: plainError(e.failure) }),
  connectionPoolCreated: (e) => ({ address: e.address }),
  connectionPoolReady: (e) => ({ address: e.address }),
  connectionPoolCleared: (e) => ({ address: e.address, interrupts: e.interruptInUseConnections ?? false }),
  connectionPoolClosed: (e) => ({ address: e.address }),
  connectionCreated: (e) => ({ address: e.address, connection: e.connectionId }),
  connectionReady: (e) => ({ address: e.address, connection: e.connectionId }),
  connectionClosed: (e) => ({ address: e.address, connection: e.connectionId, reason: e.reason }),
  connectionCheckOutStarted: (e) => ({ address: e.address }),
  connectionCheckOutFailed: (e) => ({ address: e.address, reason: e.reason }),
  connectionCheckedOut: (e) => ({ address: e.address, connection: e.connectionId }),
  connectionCheckedIn: (e) => ({ address: e.address, connection: e.connectionId }),
  serverOpening: (e) => ({ address: e.address }),
  serverClosed: (e) => ({ address: e.address }),
  serverDescriptionChanged: (e) => ({
    address: e.address, before: e.previousDescription.type, after: e.newDescription.type,
  }),
  serverHeartbeatStarted: (e) => ({ address: e.connectionId, awaited: e.awaited }),
  serverHeartbeatSucceeded: (e) => ({ address: e.connectionId, awaited: e.awaited, reply: e.reply }),
  serverHeartbeatFailed: (e) => ({ address: e.connectionId, awaited: e.awaited, failure: plainError(e.failure) }),
  topologyOpening: () => ({}),
  topologyClosed: () => ({}),
  topologyDescriptionChanged: (e) => description(e.newDescription),
};

function description(topology) {
  const servers = Object.fromEntries([...topology.servers].map(([address, server]) => [address, server.type]));
  return { type: topology.type, setName: topology.setName, servers };
}

function plainError(error) {
  if (!(error instanceof Error)) return { name: 'none', message: String(error) };
  const plain = { name: error.name, message: error.message, code: error.code ?? null };
  plain.labels = error.errorLabels ?? [];
  if (error.codeName !== undefined) plain.codeName = error.codeName;
  if (error.errorResponse !== undefined) plain.response = error.errorResponse;
  if (error.result !== undefined) plain.result = { ...error.result };
  if (error.writeErrors !== undefined) {
    const list = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
    plain.writeErrors = list.map((one) => ({ index: one.index, code: one.code, message: one.errmsg }));
  }
  if (error.cause !== undefined) plain.cause = plainError(error.cause);
  return plain;
}

// Writes one document after the other until it is told to end, and keeps books of what was acknowledged.
class Writers {
  constructor(collection, workers, tellProgress) {
    this.acknowledged = [];
    this.failed = [];
    this.ending = false;
    this.work = Promise.all(Array.from({ length: workers }, (_, worker) => this.write(collection, worker, tellProgress)));
  }

  async write(collection, worker, tellProgress) {
    for (let number = 0; !this.ending; number++) {
      const _id = `${worker} ${number}`;
      try {
        await collection.insertOne({ _id });
        this.acknowledged.push(_id);
        tellProgress();
      } catch (error) {
        this.failed.push({ _id, ...plainError(error) });
      }
    }
  }

  async end() {
    this.ending = true;
    await this.work;
    return { acknowledged: this.acknowledged, failed: this.failed };
  }
}

const roots = {
  versions: () => ({ node: process.versions.node, driver: createRequire(`${process.argv[2]}/package.json`)('mongodb/package.json').version }),

  // Makes a client and reports those of its events that are named; `lazy` leaves connecting to the first operation.
  async client(uri, options, events, lazy) {
    const client = new mongodb.MongoClient(uri, options);
    const of = lastKept + 1;
    for (const name of events) client.on(name, (event) => tell({ event: name, of, ...TOLD[name](event) }));
    keep(client);
    clients.add(client);
    if (!lazy) {
      try {
        await client.connect();
      } catch (error) {
        await client.close();
        throw error;
      }
    }
    return of;
  },

  describe: (client) => description(client.topology.description),

  async iterate(cursor, most = Infinity) {
    const found = [];
    for await (const document of cursor) {
      found.push(document);
      if (found.length >= most) break;
    }
    return found;
  },

  // Many operations at once, of every kind, each on a document of its own.
  async load(client, database, name, count) {
    const collection = client.db(database).collection(name);
    const one = async (_id) => {
      await collection.insertOne({ _id, n: 0 });
      await collection.updateOne({ _id }, { $inc: { n: 1 } });
      const found = await collection.findOne({ _id });
      const changed = await collection.findOneAndUpdate({ _id }, { $inc: { n: 1 } }, { returnDocument: 'after' });
      if (_id % 2) await collection.deleteOne({ _id });
      return found.n + changed.n;
    };
    const sums = await Promise.all(Array.from({ length: count }, (_, number) => one(number)));
    return sums.filter((sum) => sum === 3).length;
  },

  // A file through GridFS and back; what became of it.
  async files(client, database, size) {
    const bucket = new mongodb.GridFSBucket(client.db(database));
    const content = Buffer.from(Array.from({ length: size }, (_, n) => n % 251));
    const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
    const upload = bucket.openUploadStream('x.bin', { metadata: { kind: 'test' } });
    await pipeline(Readable.from([content.subarray(0, 1000), content.subarray(1000)]), upload);
    const read = Buffer.concat(await bucket.openDownloadStreamByName('x.bin').toArray());
    const part = Buffer.concat(await bucket.openDownloadStream(upload.id, { start: 300000, end: 600000 }).toArray());
    const found = await bucket.find({ filename: 'x.bin' }).toArray();
    await bucket.rename(upload.id, 'y.bin');
    const renamed = (await bucket.find({}).toArray()).map((file) => file.filename);
    await bucket.delete(upload.id);
    const left = await Promise.all(
      ['fs.files', 'fs.chunks'].map((name) => client.db(database).collection(name).countDocuments()),
    );
    const expectedPart = hash(content.subarray(300000, 600000));
    return { written: hash(content), read: hash(read), part: hash(part), expectedPart, found, renamed, left };
  },

  transaction: (client, database, name) =>
    client.withSession((session) =>
      session.withTransaction(() => client.db(database).collection(name).insertOne({ _id: 1 }, { session })),
    ),

  // Each worker counts up in a document of its own.
  increments(client, database, name, workers, rounds) {
    const collection = client.db(database).collection(name);
    const work = async (_id) => {
      const told = { acknowledged: 0, failed: 0 };
      for (let round = 0; round < rounds; round++) {
        try {
          await collection.updateOne({ _id }, { $inc: { n: 1 } });
          told.acknowledged++;
        } catch {
          told.failed++;
        }
      }
      return told;
    };
    return Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  },

  writers(client, database, name, workers) {
    const of = lastKept + 1;
    return keep(new Writers(client.db(database).collection(name), workers, () => tell({ event: 'acknowledged', of })));
  },

  async inSession(client, options, namespace, documents) {
    const [database, collection] = namespace.split('.');
    return client.withSession(options, async (session) => {
      const target = client.db(database).collection(collection);
      for (const document of documents) await target.insertOne(document, { session });
      const found = await target.find({}, { session }).toArray();
      return { found, lsid: session.id, operationTime: session.operationTime ?? null };
    });
  },

  // A find that is under way until `now` is called, which tells how it ended.
  aborting(client, database, collection) {
    const controller = new AbortController();
    const end = client.db(database).collection(collection).findOne({}, { signal: controller.signal }).catch(plainError);
    return {
      now() {
        controller.abort();
        return end;
      },
    };
  },

};

function keep(value) {
  kept.set(++lastKept, value);
  return lastKept;
}

// Objects that were kept, and documents whose numbers keep their types, stand in arguments as {$kept} and {$bytes}.
function revive(value) {
  if (value === null || typeof value !== 'object') return value;
  if (value.$kept !== undefined) return kept.get(Number(value.$kept));
  if (value.$bytes !== undefined) {
    const bytes = Buffer.from(value.$bytes, 'base64');
    return BSON.deserialize(bytes, { promoteValues: false, bsonRegExp: true });
  }
  if (Array.isArray(value)) return value.map(revive);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}

// Raw documents are bytes, which Extended JSON has only as Binary.
function sendable(value) {
  if (Array.isArray(value)) return value.map(sendable);
  return value instanceof Uint8Array ? new BSON.Binary(value) : (value ?? null);
}

async function carryOut({ id, on, calls, keep: isKept }) {
  try {
    let value = on === null ? roots : kept.get(on);
    for (const [name, ...args] of calls) value = await value[name](...args.map(revive));
    tell(isKept ? { id, kept: keep(value) } : { id, value: sendable(value) });
  } catch (error) {
    tell({ id, error: plainError(error) });
  }
}

const running = new Set();
for await (const line of createInterface({ input: process.stdin })) {
  const question = carryOut(BSON.EJSON.parse(line));
  running.add(question);
  question.finally(() => running.delete(question));
}
await Promise.all([...clients].map((client) => client.close()));
await Promise.all(running);
