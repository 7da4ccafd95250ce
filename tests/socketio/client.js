// One client of socket.io-client for tests/it: says what happens to it, a JSON object a line.
//
//   node client.js <package> <polling|websocket|default> <url> <user> <connection> [options as JSON]
'use strict';

const [name, transport, url, user, connection, options] = process.argv.slice(2);
const required = require(name);
const io = required.io || required;

const say = (what, value) => process.stdout.write(JSON.stringify({ [what]: value }) + '\n');

const settings = { forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 500 };
if (transport !== 'default') {
    settings.transports = [transport];
}
const { register, ...others } = JSON.parse(options || '{}');
const socket = io(url, Object.assign(settings, others));

socket.on('connect', () => {
    const engine = socket.io.engine;
    say('connected', engine.transport.name);
    if (transport === 'default') {
        // Newer clients may have changed over before they are connected.
        const upgraded = () => say('upgraded', engine.transport.name);
        engine.transport.name === 'websocket' ? upgraded() : engine.on('upgrade', upgraded);
    }
    const extra = register === undefined ? [] : [register];
    socket.emit('register', user, connection, ...extra, (answer) => say('registered', answer));
});
socket.on('message', (...values) => say('message', values));
socket.on('disconnect', (reason) => say('disconnected', reason));
socket.on('connect_error', (error) => say('failed', String((error && error.message) || error)));
socket.on('error', (error) => say('error', error instanceof Error ? error.message : error));
