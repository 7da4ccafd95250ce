'use strict';

const at = (id) => document.getElementById(id);
const later = () => new Promise((resolve) => setTimeout(resolve, 1000));
let pair;
let hook;

// The application's own server says who we are; here the demo plays it.
async function join() {
    for (;;) {
        try {
            const answer = await fetch('/demo/join', { method: 'POST' });
            if (answer.ok) {
                return await answer.json();
            }
        } catch {
            // The daemon may be about to come back.
        }
        await later();
    }
}

function show(message) {
    at('none').hidden = true;
    const line = at('arrived').appendChild(document.createElement('li'));
    const text = line.appendChild(document.createElement('code'));
    text.textContent = JSON.stringify(message);
}

function made(answer) {
    if (answer.error) {
        at('state').textContent = answer.error;
        return;
    }
    hook = answer.id;
    const url = new URL(answer.url, location.origin).href;
    at('url').textContent = url;
    at('curl').textContent =
        `curl -H 'Content-Type: application/json' -d '{"message":"Hello ☃"}' ${url}`;
    at('made').hidden = false;
    at('revoke').hidden = false;
}

async function start() {
    pair = await join();
    const socket = io();
    socket.on('connect', () => {
        socket.emit('register', pair.userId, pair.connectionId, (answer) => {
            at('state').textContent = answer.ok ? 'connected' : answer.error;
            at('make').disabled = !answer.ok;
        });
    });
    socket.on('disconnect', () => {
        at('state').textContent = 'reconnecting';
        at('make').disabled = true;
    });
    socket.on('message', show);
    at('make').addEventListener('click', () => {
        socket.emit('hook', pair.userId, pair.connectionId, {}, made);
    });
    at('revoke').addEventListener('click', () => {
        socket.emit('hook', pair.userId, pair.connectionId, { revoke: hook }, () => {
            at('made').hidden = true;
            at('revoke').hidden = true;
            at('url').textContent = '';
            at('curl').textContent = '';
        });
    });
}

start();
