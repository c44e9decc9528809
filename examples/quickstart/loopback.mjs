// Preloaded into a server that would listen on every interface (`node --import ./loopback.mjs server.js`): it listens on the
// loopback interface instead.
import { Server } from 'node:net';

const listen = Server.prototype.listen;
Server.prototype.listen = function (...args) {
  const [first, ...rest] = args;
  if (typeof first === 'object' && first !== null) return listen.call(this, { ...first, host: '127.0.0.1' }, ...rest);
  const callback = rest.find((arg) => typeof arg === 'function');
  return listen.call(this, { port: Number(first), host: '127.0.0.1' }, callback);
};
