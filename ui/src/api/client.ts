// The typed way to every command. Queries are keyed by command name and input, and go stale by change tags.
import {
  keepPreviousData,
  QueryClient,
  type UseMutationResult,
  type UseQueryResult,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { toast } from "sonner";
import { host, ReportError, toReport } from "../host";
import { CHANGES, type Commands, type Report, type Tag } from "./generated";

export type CommandName = keyof Commands;
export type Input<N extends CommandName> = Commands[N]["input"];
export type Answer<N extends CommandName> = Commands[N]["answer"];

/** Which changes make the answer of a command stale, by the noun before its dot. */
const STALE_AFTER: Record<string, readonly Tag[]> = {
  projects: ["projects"],
  overview: [
    "projects",
    "data",
    "pipeline",
    "jobs",
    "runs",
    "models",
    "deployments",
    "monitors",
    "automations",
  ],
  status: ["jobs", "monitors", "deployments"],
  doctor: [],
  find: [],
  data: ["data", "pipeline"],
  pipeline: ["pipeline", "data", "jobs", "projects"],
  jobs: ["jobs"],
  experiments: ["runs"],
  runs: ["runs", "models"],
  models: ["models", "deployments"],
  lineage: ["data", "runs", "models", "deployments"],
  deployments: ["deployments", "monitors"],
  monitors: ["monitors", "deployments"],
  alerts: ["monitors"],
  automations: ["automations"],
  remotes: ["remotes"],
  scoring: ["jobs", "models", "remotes"],
  transfers: ["transfers"],
};

export function staleTags(command: string): readonly Tag[] {
  return STALE_AFTER[command.split(".")[0] ?? ""] ?? [];
}

export function call<N extends CommandName>(name: N, input: Input<N>): Promise<Answer<N>> {
  return host().rpc(name, input) as Promise<Answer<N>>;
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry: false, staleTime: 15_000, refetchOnWindowFocus: false, networkMode: "always" },
      mutations: { networkMode: "always" },
    },
  });
}

/** Asks for what a page that is not drawn yet will show first. */
export function askAhead<N extends CommandName>(client: QueryClient, name: N, input: Input<N>): void {
  void client.prefetchQuery({ queryKey: [name, input], queryFn: () => call(name, input) });
}

/** Marks every query that one of `tags` concerns; the ones on screen are asked again at once. */
export function markStale(client: QueryClient, tags: readonly Tag[]): void {
  const changed = new Set(tags);
  if (changed.size === 0) return;
  void client.invalidateQueries({
    predicate: (query) => staleTags(String(query.queryKey[0])).some((tag) => changed.has(tag)),
  });
}

export interface CommandOptions<A> {
  enabled?: boolean;
  /** Milliseconds between two asks while something runs; `false` to rely on changes only. */
  every?: number | false | ((answer: A | undefined) => number | false);
  /** Keep the old answer on screen while a changed input is being asked for. */
  keep?: boolean;
  staleTime?: number;
}

export function useCommand<N extends CommandName>(
  name: N,
  input: Input<N>,
  options: CommandOptions<Answer<N>> = {},
): UseQueryResult<Answer<N>, Error> {
  const { enabled = true, every = false, keep = false, staleTime } = options;
  return useQuery<Answer<N>, Error>({
    queryKey: [name, input],
    queryFn: () => call(name, input),
    enabled,
    refetchInterval: typeof every === "function" ? (query) => every(query.state.data) : every,
    ...(keep ? { placeholderData: keepPreviousData as never } : {}),
    ...(staleTime === undefined ? {} : { staleTime }),
  });
}

export interface ActionOptions<N extends CommandName> {
  /** Shown as a toast when it worked. */
  done?: string | ((answer: Answer<N>, input: Input<N>) => string | null);
  onDone?: (answer: Answer<N>, input: Input<N>) => void;
  /** The caller shows the failure itself, next to the form. */
  quiet?: boolean;
  /** Shows the failure in another way than as a toast of its sentence. */
  onFailure?: (report: Report) => void;
}

export function showFailure(report: Report): void {
  toast.error(report.message, { description: report.hint ?? undefined, duration: 8000 });
}

/** Asks what to do with a project that may not run commands yet; the shell sets it. */
type TrustAsker = (report: Report) => Promise<boolean>;
let askForTrust: TrustAsker | null = null;
export function setTrustAsker(asker: TrustAsker | null): void {
  askForTrust = asker;
}

export async function callTrusted<N extends CommandName>(name: N, input: Input<N>): Promise<Answer<N>> {
  try {
    return await call(name, input);
  } catch (thrown) {
    const untrusted = thrown instanceof ReportError && thrown.report.name === "project.untrusted";
    if (untrusted && askForTrust && (await askForTrust(thrown.report))) return call(name, input);
    throw thrown;
  }
}

export function useAction<N extends CommandName>(
  name: N,
  options: ActionOptions<N> = {},
): UseMutationResult<Answer<N>, Error, Input<N>> {
  const client = useQueryClient();
  return useMutation<Answer<N>, Error, Input<N>>({
    mutationFn: (input) => callTrusted(name, input),
    onSuccess(answer, input) {
      markStale(client, CHANGES[name]);
      const text = typeof options.done === "function" ? options.done(answer, input) : options.done;
      if (text) toast.success(text);
      options.onDone?.(answer, input);
    },
    onError(thrown) {
      if (options.onFailure) options.onFailure(toReport(thrown));
      else if (!options.quiet) showFailure(toReport(thrown));
    },
  });
}
