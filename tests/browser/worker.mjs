// A member of staff of the demo, by gRPC: as much of it as a visitor's test needs. The token is the session's cookie.
import http2 from 'node:http2';

const varint = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...varint(Math.floor(n / 128))]);
/** Protobuf of {field number: text, number or true}. */
const encode = (fields) =>
  Buffer.concat(
    Object.entries(fields).map(([number, value]) => {
      if (typeof value !== 'string') return Buffer.from([...varint(number << 3), ...varint(Number(value))]);
      const bytes = Buffer.from(value);
      return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes]);
    }),
  );
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

export class Worker {
  /** Signs in on the demo's first page, in a browser of their own. */
  static async signIn(suite, context, name) {
    const page = await context.newPage();
    await page.goto('/');
    await page.getByRole('button', { name: new RegExp(name) }).click();
    await page.waitForURL(/\/staff/);
    const worker = new Worker();
    worker.token = (await context.cookies()).find((cookie) => cookie.name.endsWith('samtal-staff')).value;
    worker.address = `http://${suite.grpc.replace(/^http:\/\//, '')}`;
    return worker;
  }

  call(method, fields) {
    return new Promise((resolve, reject) => {
      const session = http2.connect(this.address);
      session.on('error', reject);
      const stream = session.request({
        ':method': 'POST', ':path': `/samtal.${method}`, 'content-type': 'application/grpc', te: 'trailers', authorization: `Bearer ${this.token}`,
        // What one service has answered, the next one waits for.
        ...(this.position && { 'samtal-after': this.position }),
      });
      const body = encode(fields);
      const head = Buffer.alloc(5);
      head.writeUInt32BE(body.length, 1);
      let status = '';
      const got = [];
      const note = (headers) => {
        status = headers['grpc-status'] ? `${headers['grpc-status']} ${headers['grpc-message'] ?? ''}` : status;
        this.position = headers['samtal-position'] ?? this.position;
      };
      stream.on('response', note).on('trailers', note).on('data', (data) => got.push(data)).on('error', reject);
      stream.on('end', () => {
        session.close();
        if (status.startsWith('0')) resolve(Buffer.concat(got).subarray(5).toString('latin1'));
        else reject(new Error(`${method}: ${decodeURIComponent(status)}`));
      });
      stream.end(Buffer.concat([head, body]));
    });
  }

  /** Is there, and takes what is offered until it is this case. */
  async take(caseId) {
    await this.call('routing.v1.RoutingService/SetPresence', { 2: true, 3: 1000 });
    for (let tries = 0; tries < 100; tries++) {
      const offers = await this.call('routing.v1.RoutingService/ListOffers', {});
      const [offer, offered] = offers.match(UUID) ?? [];
      if (offer) {
        await this.call('routing.v1.RoutingService/AcceptOffer', { 2: offer });
        if (offered === caseId) return;
        // Somebody else's turn, and soon over: there is room for one more.
        await this.close(offered);
        continue;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the case ${caseId} was never offered`);
  }

  say(caseId, text) {
    return this.call('intake.v1.ConversationService/PostMessage', { 1: caseId, 2: `w-${text}`, 3: text });
  }

  typing(caseId) {
    return this.call('intake.v1.ConversationService/SetTyping', { 1: caseId });
  }

  close(caseId) {
    return this.call('intake.v1.CaseService/CloseCase', { 2: caseId, 3: 1 });
  }
}
