// Holds the event stream for every tab of this browser (a shared worker).
const ports = new Map(); // port -> names of the events that it wants
const latest = new Map(); // name -> the newest data
const known = new Set(["signed-out"]);
let source = null;
let state = "error";
let retry = null;

function tell(message) {
  for (const port of ports.keys()) port.postMessage(message);
}

function become(next) {
  state = next;
  tell({ state });
}

function connect(url) {
  clearTimeout(retry);
  source = new EventSource(url);
  source.onopen = () => become("open");
  source.onerror = () => {
    become("error");
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(() => connect(url), 3000);
  };
  for (const name of known) listen(name);
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

function want(port, name) {
  ports.get(port)?.add(name);
  if (!known.has(name)) {
    known.add(name);
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
    for (const name of data.names ?? []) want(port, name);
    if (data.close) {
      ports.delete(port);
      if (ports.size === 0) stop();
    }
  };
};
