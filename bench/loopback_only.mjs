// Preloaded (node --import) into a peer that has no option for the address it listens on: it listens on loopback.
import net from 'node:net';

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  if (typeof port !== 'number' && typeof port !== 'string') return listen.call(this, port, ...rest);
  return listen.call(this, Number(port), '127.0.0.1', ...rest.filter((r) => typeof r === 'function'));
};
