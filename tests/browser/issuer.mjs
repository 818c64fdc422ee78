// A small sign-in service (OpenID Connect) for the browser to go to, under another name than the pages, as a real one has. What can be
// wrong with its tokens, tests/tests/suite/sign_in.rs tries; this one is right, or says nothing at all.
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';

export const CLIENT = 'samtal';
export const SECRET = "a secret / of: the issuer's";

const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
// Its pages are its own affair, but for a person with a keyboard they must work.
const html = (text) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test service</title><link rel="icon" href="data:,"><h1>Test service</h1>${text}`;

export class Issuer {
  /** `people`: name on its page, to the claims that it makes of them. */
  static async start(people) {
    const issuer = new Issuer();
    issuer.people = people;
    issuer.codes = new Map();
    issuer.signedOut = [];
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    issuer.key = privateKey;
    issuer.jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' };
    issuer.server = createServer((request, response) => issuer.answer(request, response));
    await new Promise((resolve) => issuer.server.listen(0, '127.0.0.1', resolve));
    issuer.url = `http://localhost:${issuer.server.address().port}`;
    return issuer;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async answer(request, response) {
    const url = new URL(request.url, this.url);
    const say = (status, type, text, headers = {}) => response.writeHead(status, { 'content-type': type, ...headers }).end(text);
    const json = (status, value) => say(status, 'application/json', JSON.stringify(value));
    const page = (text) => say(200, 'text/html', html(text));
    const at = (path) => `${this.url}${path}`;
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return json(200, {
          issuer: this.url, authorization_endpoint: at('/authorize'), token_endpoint: at('/token'), jwks_uri: at('/keys'), end_session_endpoint: at('/logout'),
        });
      case '/keys':
        return json(200, { keys: [this.jwk] });
      case '/authorize': {
        const links = Object.keys(this.people).map((name) => `<p><a href="/as?${new URLSearchParams({ name, asked: url.search })}">${name}</a>`);
        return page(`${links.join('')}<p><a href="${this.back(url.searchParams, { error: 'access_denied' })}">Cancel</a>`);
      }
      case '/as': {
        const asked = new URLSearchParams(url.searchParams.get('asked'));
        const code = randomUUID();
        this.codes.set(code, { asked, claims: this.people[url.searchParams.get('name')] });
        return say(302, 'text/plain', '', { location: this.back(asked, { code }) });
      }
      case '/token': {
        let body = '';
        for await (const part of request) body += part;
        return this.token(request.headers.authorization ?? '', new URLSearchParams(body), json);
      }
      case '/logout':
        this.signedOut.push(url.searchParams.get('id_token_hint') !== null);
        return page(`<p>Signed out here.<p><a href="${url.searchParams.get('post_logout_redirect_uri')}">Back</a>`);
      default:
        return json(404, {});
    }
  }

  back(asked, answer) {
    return `${asked.get('redirect_uri')}?${new URLSearchParams({ ...answer, state: asked.get('state') })}`;
  }

  token(authorization, form, json) {
    const [client, secret] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString().split(':').map(decodeURIComponent);
    const given = this.codes.get(form.get('code'));
    this.codes.delete(form.get('code'));
    const verifier = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
    const right = client === CLIENT && secret === SECRET && given?.asked.get('code_challenge') === verifier && given.asked.get('redirect_uri') === form.get('redirect_uri');
    if (!right) return json(400, { error: 'invalid_grant' });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.url, aud: CLIENT, iat: now, exp: now + 300, nonce: given.asked.get('nonce'), sub: '1', ...given.claims };
    const signed = `${base64({ alg: 'ES256', kid: 'one' })}.${base64(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    return json(200, { access_token: 'unused', token_type: 'Bearer', id_token: `${signed}.${signature}` });
  }
}
