// A client of notify_push in JavaScript: logs in, receives notifications, reconnects after a lost connection.
//
// In a browser: import { subscribe } from './client.mjs'.
// In Node 22 or newer, or with `npm install ws` in an older one: node client.mjs wss://cloud.example.com/push/ws alice < file-with-the-password

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;

/**
 * Runs until you call the returned function, or until the login is refused permanently.
 *
 * `onMessage(type, body)` is called for each message: `notify_file` (body undefined, or an array of file
 * ids as `notify_file_id`), `notify_activity`, `notify_notification`, an app's own type with its JSON,
 * and `authenticated` after each login: resync then, because you may have missed messages.
 * `onRefused(reason)` is called when a retry with the same password can't succeed.
 */
export function subscribe(url, user, password, onMessage, onRefused) {
    let failures = 0, timer, socket, stopped = false;

    function connect() {
        let loggedIn = false, hopeless;
        socket = new WebSocket(url);
        socket.onopen = () => {
            socket.send(user);
            socket.send(password);
        };
        socket.onmessage = ({ data }) => {
            if (data.startsWith('err: ')) {
                if (['err: Invalid credentials', 'err: Login revoked'].includes(data)) {
                    hopeless = data.slice('err: '.length);
                }
                return; // The server closes now.
            }
            if (!loggedIn) {
                loggedIn = true;
                failures = 0;
                socket.send('listen notify_file_id');
            }
            const [, type, body] = data.match(/^(\S+)(?: (.*))?$/s);
            onMessage(type, body === undefined ? undefined : JSON.parse(body));
        };
        socket.onclose = () => {
            if (stopped) return;
            if (hopeless) return onRefused(hopeless);
            // All clients lose their connection at the same time, so spread the reconnects.
            const wait = Math.min(FIRST_WAIT * 2 ** failures++, LONGEST_WAIT);
            timer = setTimeout(connect, wait * (0.5 + Math.random()));
        };
    }

    connect();
    return () => {
        stopped = true;
        clearTimeout(timer);
        socket.close();
    };
}

async function main() {
    const { readFileSync } = await import('node:fs');
    const [url, user] = process.argv.slice(2);
    if (!url || !user) throw new Error('usage: node client.mjs wss://cloud.example.com/push/ws alice < password');
    if (!globalThis.WebSocket) {
        const missing = () => {
            throw new Error('this Node has no WebSocket: use Node 22 or newer, or run `npm install ws`');
        };
        globalThis.WebSocket = (await import('ws').catch(missing)).WebSocket;
    }
    const password = readFileSync(0, 'utf8').trim();
    const print = (type, body) => console.log(body === undefined ? type : `${type} ${JSON.stringify(body)}`);
    subscribe(url, user, password, print, fail);
}

function fail(reason) {
    console.error(reason);
    process.exitCode = 1;
}

// Whether this file is the program, not a module of another one.
async function isProgram() {
    if (!globalThis.process?.argv?.[1]) return false;
    const [{ realpathSync }, { fileURLToPath }] = await Promise.all([import('node:fs'), import('node:url')]);
    return realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
}

if (await isProgram()) await main().catch((error) => fail(error.message));
