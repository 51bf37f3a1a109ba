import { File, Folder, FolderSearch } from "lucide-react";
import { useCommand } from "../api/client";
import type { ArtifactRow, RunDetail } from "../api/generated";
import { host } from "../host";
import { bytes } from "../shared/format";
import { usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { Button, CopyButton } from "../shared/ui";
import { baseName } from "./runs";
import "./runs.css";

function Level({
  run_id,
  path,
  depth,
  chosen,
  onChoose,
}: {
  run_id: string;
  path: string;
  depth: number;
  chosen: string;
  onChoose: (row: ArtifactRow) => void;
}) {
  const artifacts = useCommand("runs.artifacts", { run_id, path });
  return (
    <Asked query={artifacts} rows={3}>
      {(rows) => (
        <ul>
          {rows.map((row) => {
            const open = chosen === row.path || chosen.startsWith(`${row.path}/`);
            const Icon = row.is_dir ? Folder : File;
            return (
              <li key={row.path}>
                <button
                  type="button"
                  className="artifact"
                  aria-current={chosen === row.path || undefined}
                  aria-expanded={row.is_dir ? open : undefined}
                  style={{ paddingLeft: 12 + depth * 16 }}
                  onClick={() => onChoose(row)}
                >
                  <Icon size={14} strokeWidth={1.6} aria-hidden />
                  <span className="cut grow">{baseName(row.path)}</span>
                  <span className="faint">{row.size === null ? "" : bytes(row.size)}</span>
                </button>
                {row.is_dir && open ? (
                  <Level
                    run_id={run_id}
                    path={row.path}
                    depth={depth + 1}
                    chosen={chosen}
                    onChoose={onChoose}
                  />
                ) : null}
              </li>
            );
          })}
          {rows.length === 0 && depth > 0 ? (
            <li className="faint" style={{ paddingLeft: 12 + depth * 16 }}>
              empty
            </li>
          ) : null}
        </ul>
      )}
    </Asked>
  );
}

function Text({ run_id, path }: { run_id: string; path: string }) {
  const content = useCommand("runs.artifact_text", { run_id, path });
  return (
    <Asked query={content}>
      {({ text, truncated, size }) =>
        text === null ? (
          <Empty title="Not text">{`${baseName(path)} has ${bytes(size)} of binary content. Reveal its folder to open it.`}</Empty>
        ) : (
          <div className="artifact-text">
            <div className="line artifact-head">
              <code className="cut grow">{path}</code>
              {truncated ? (
                <span className="faint">the beginning of {bytes(size)}</span>
              ) : (
                <span className="faint">{bytes(size)}</span>
              )}
              <CopyButton text={text} />
            </div>
            <pre>{text}</pre>
          </div>
        )
      }
    </Asked>
  );
}

export function Artifacts({ detail }: { detail: RunDetail }) {
  const place = usePlace();
  const { run_id } = detail.row;
  const chosen = place.search.artifact ?? "";
  const isFile = place.search.file === "1";
  const root = useCommand("runs.artifacts", { run_id, path: "" });
  const folder = detail.artifact_folder;
  if (root.data?.length === 0) {
    return (
      <Empty title="No artifacts" cli='mlflow.log_artifact("report.html")'>
        Files and models that the run logs show up here.
      </Empty>
    );
  }
  return (
    <div className="artifacts">
      <nav className="artifact-tree" aria-label="Artifacts">
        {folder ? (
          <div className="artifact-reveal">
            <Button icon={FolderSearch} onClick={() => void host().reveal(folder)}>
              Reveal
            </Button>
          </div>
        ) : null}
        <Level
          run_id={run_id}
          path=""
          depth={0}
          chosen={chosen}
          onChoose={(row) => place.set({ artifact: row.path, file: row.is_dir ? null : "1" })}
        />
      </nav>
      {chosen !== "" && isFile ? (
        <Text run_id={run_id} path={chosen} />
      ) : (
        <Empty title="Choose a file">
          Text is shown here; everything else can be revealed in the file manager.
        </Empty>
      )}
    </div>
  );
}
