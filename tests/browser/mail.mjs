// A mail server on loopback that keeps what it is given.
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

export class Mail {
  static async start() {
    const mail = new Mail();
    mail.kept = [];
    mail.waiting = [];
    mail.server = createServer((socket) => mail.talk(socket));
    await new Promise((resolve) => mail.server.listen(0, '127.0.0.1', resolve));
    mail.url = `smtp://127.0.0.1:${mail.server.address().port}`;
    return mail;
  }

  talk(socket) {
    const say = (line) => socket.write(`${line}\r\n`);
    // A connection that breaks is the client's to repeat.
    socket.on('error', () => {});
    let text = null;
    say('220 catcher');
    createInterface({ input: socket }).on('line', (line) => {
      if (text !== null && line !== '.') text.push(line);
      else if (text !== null) {
        this.keep(text.join('\n'));
        text = null;
        say('250 kept');
      } else if (line.toUpperCase().startsWith('DATA')) {
        text = [];
        say('354 go on');
      } else if (line.toUpperCase().startsWith('QUIT')) socket.end('221 bye\r\n');
      else say('250 ok');
    });
  }

  keep(raw) {
    const bytes = raw.replaceAll('=\n', '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    this.kept.push(Buffer.from(bytes, 'latin1').toString('utf8'));
    this.waiting.splice(0).forEach((wake) => wake());
  }

  /** The mail with this number, from 0 on, once it has come. */
  async number(index) {
    while (this.kept.length <= index) {
      await new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`mail ${index} has not come`)), 30_000);
        this.waiting.push(() => resolve(clearTimeout(late)));
      });
    }
    return this.kept[index];
  }

  stop() {
    this.server.close();
  }
}
