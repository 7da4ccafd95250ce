// A client of notify_push in JavaScript: logs in, hears what changed, comes back after a loss.
//
// In a browser: import { subscribe } from './client.mjs'.
// In Node 22 or newer: node client.mjs wss://cloud.example.com/push/ws alice < file-with-the-password

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;

/**
 * Listens until the function it returns is called, or until the log-in is refused for good.
 *
 * `heard(type, body)` is called for each message: `notify_file` (body undefined, or an array of file
 * ids as `notify_file_id`), `notify_activity`, `notify_notification`, an app's own type with its JSON,
 * and `authenticated` after each log-in: look at everything then, messages may have been missed.
 * `refused(reason)` is called when coming back with the same password is of no use.
 */
export function subscribe(url, user, password, heard, refused) {
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
            heard(type, body === undefined ? undefined : JSON.parse(body));
        };
        socket.onclose = () => {
            if (stopped) return;
            if (hopeless) return refused(hopeless);
            // Everybody loses the connection at the same time: nobody comes back at the same time.
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

if (globalThis.process?.argv[1] === import.meta.filename && import.meta.filename) {
    const { readFileSync } = await import('node:fs');
    const [url, user] = process.argv.slice(2);
    const password = readFileSync(0, 'utf8').trim();
    const print = (type, body) => console.log(body === undefined ? type : `${type} ${JSON.stringify(body)}`);
    subscribe(url, user, password, print, (reason) => {
        console.error(reason);
        process.exitCode = 1;
    });
}
