import { Component, type ErrorInfo, type ReactNode } from "react";
import { host } from "../host";
import { Button } from "../shared/ui";
import "./shell.css";

/** Keeps a fault of one page from becoming a blank window. */
export class ErrorBoundary extends Component<
  { children: ReactNode; place?: string },
  { error: Error | null }
> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidCatch(error: Error, info: ErrorInfo) {
    try {
      host().reportError(`${error.stack ?? error.message}\n${info.componentStack ?? ""}`);
    } catch {
      console.error(error);
    }
  }

  override componentDidUpdate(before: { place?: string }) {
    if (this.state.error && before.place !== this.props.place) this.setState({ error: null });
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <div className="crash" role="alert">
        <h1>This page cannot be shown</h1>
        <p className="quiet">The fault is Lapwing’s own and is in its log. Your project is untouched.</p>
        <div className="line">
          <Button kind="primary" onClick={() => this.setState({ error: null })}>
            Try again
          </Button>
          <Button onClick={() => location.reload()}>Reload the window</Button>
        </div>
        <details>
          <summary>Details</summary>
          <pre>{error.stack ?? error.message}</pre>
        </details>
      </div>
    );
  }
}
