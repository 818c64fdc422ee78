// A visitor without a screen: what these tests need of gRPC, in a few lines over Node's own HTTP/2. Texts only, as all fields here are.
import assert from 'node:assert/strict';
import { connect } from 'node:http2';

const varint = (number) => (number < 128 ? [number] : [(number & 127) | 128, ...varint(number >>> 7)]);

/** A message of text fields, by their numbers. */
function encode(fields) {
  const parts = Object.entries(fields).map(([number, text]) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([Buffer.from([...varint(Number(number) * 8 + 2), ...varint(bytes.length)]), bytes]);
  });
  return Buffer.concat(parts);
}

/** Fields that hold bytes, by number; the first of each. */
function decode(bytes) {
  const fields = {};
  let at = 0;
  const number = () => {
    let [value, shift, byte] = [0, 0, 0];
    do {
      byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      shift += 7;
    } while (byte & 128);
    return value;
  };
  while (at < bytes.length) {
    const tag = number();
    if (tag % 8 === 0) number();
    else if (tag % 8 === 1) at += 8;
    else if (tag % 8 === 5) at += 4;
    else {
      const length = number();
      fields[Math.floor(tag / 8)] ??= bytes.subarray(at, at + length);
      at += length;
    }
  }
  return fields;
}

function call(suite, path, fields, token) {
  const body = encode(fields);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return new Promise((resolve, reject) => {
    const session = connect(`http://${suite.grpc}`);
    session.on('error', reject);
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    if (token) headers.authorization = `Bearer ${token}`;
    const stream = session.request(headers);
    const chunks = [];
    let status;
    const look = (all) => (status ??= all['grpc-status'] && [all['grpc-status'], decodeURIComponent(all['grpc-message'] || '')]);
    stream.on('response', look).on('trailers', look).on('data', (chunk) => chunks.push(chunk)).on('error', reject);
    stream.on('end', () => {
      session.close();
      if (status?.[0] !== '0') return reject(new Error(`${path}: ${status}`));
      resolve(decode(Buffer.concat(chunks).subarray(5)));
    });
    stream.end(Buffer.concat([head, body]));
  });
}

/** Somebody who comes to a door with a text. */
export async function come(suite, text, { door = 'demo-open', reason = 'cold', language = 'sv' } = {}) {
  const answer = await call(suite, '/samtal.intake.v1.CaseService/OpenCase', { 2: door, 3: reason, 4: text, 8: language });
  const visitor = { id: String(decode(answer[1])[1]), token: String(answer[2]) };
  assert.match(visitor.id, /^[0-9a-f-]{36}$/);
  let sent = 0;
  visitor.write = (more) =>
    call(suite, '/samtal.intake.v1.ConversationService/PostMessage', { 1: visitor.id, 2: `m${(sent += 1)}`, 3: more }, visitor.token);
  visitor.reopen = () => call(suite, '/samtal.intake.v1.CaseService/ReopenCase', { 2: visitor.id }, visitor.token);
  return visitor;
}
