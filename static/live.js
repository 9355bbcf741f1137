// One event stream per browser: a shared worker holds it for all tabs. Without shared workers, each
// tab has its own stream. htmx's SSE extension calls createEventSource.
(() => {
  class SharedStream extends EventTarget {
    readyState = EventSource.CONNECTING;

    constructor(url, script) {
      super();
      const worker = new SharedWorker(script, { name: "sluice-live" });
      this.port = worker.port;
      this.names = new Set();
      this.port.onmessage = ({ data }) => this.receive(data);
      this.port.postMessage({ open: url });
      addEventListener("pagehide", () => this.port.postMessage({ close: true }));
      addEventListener("pageshow", (event) => {
        if (event.persisted) this.port.postMessage({ open: url, names: [...this.names] });
      });
    }

    addEventListener(name, ...rest) {
      super.addEventListener(name, ...rest);
      if (this.names.has(name)) return;
      this.names.add(name);
      this.port.postMessage({ names: [name] });
    }

    receive({ state, name, data }) {
      if (state === "open") {
        this.readyState = EventSource.OPEN;
        this.onopen?.(new Event("open"));
      } else if (state === "error") {
        this.readyState = EventSource.CONNECTING; // the worker reconnects
        this.onerror?.(new Event("error"));
      } else {
        this.dispatchEvent(new MessageEvent(name, { data }));
      }
    }

    close() {
      this.port.postMessage({ close: true });
      this.port.close();
    }
  }

  const script = document.querySelector("meta[name=live-worker]").content;
  htmx.createEventSource = (url) => {
    if ("SharedWorker" in window) {
      try {
        return new SharedStream(new URL(url, location.href).href, script);
      } catch {
        // Shared workers are blocked: this tab gets its own stream.
      }
    }
    return new EventSource(url);
  };
})();
