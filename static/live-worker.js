// Holds the event stream for every tab of this browser (a shared worker).
const ports = new Map(); // port -> names of the events that it subscribed to
const latest = new Map(); // name -> the newest data
const subscribed = new Set(["signed-out"]);
let source = null;
let state = "error";
let retry = null;

function broadcast(message) {
  for (const port of ports.keys()) port.postMessage(message);
}

function setState(next) {
  state = next;
  broadcast({ state });
}

function connect(url) {
  clearTimeout(retry);
  source = new EventSource(url);
  source.onopen = () => setState("open");
  source.onerror = () => {
    setState("error");
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(() => connect(url), 3000);
  };
  for (const name of subscribed) listen(name);
}

function listen(name) {
  source.addEventListener(name, ({ data }) => {
    latest.set(name, data);
    for (const [port, names] of ports) if (names.has(name)) port.postMessage({ name, data });
    if (name === "signed-out") stop();
  });
}

function stop() {
  clearTimeout(retry);
  source?.close();
  source = null;
  state = "error";
  latest.clear();
}

function subscribe(port, name) {
  ports.get(port)?.add(name);
  if (!subscribed.has(name)) {
    subscribed.add(name);
    if (source) listen(name);
  }
  if (latest.has(name)) port.postMessage({ name, data: latest.get(name) });
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.open) {
      ports.set(port, new Set());
      if (!source) connect(data.open);
      else if (state === "open") port.postMessage({ state });
    }
    for (const name of data.names ?? []) subscribe(port, name);
    if (data.close) {
      ports.delete(port);
      if (ports.size === 0) stop();
    }
  };
};
