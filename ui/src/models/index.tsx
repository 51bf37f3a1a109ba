import { useCommand } from "../api/client";
import type { ModelRow } from "../api/generated";
import { pathTo, usePlace } from "../shared/place";
import { Asked, Empty } from "../shared/states";
import { type Column, Table } from "../shared/Table";
import { Page, Time } from "../shared/ui";

const COLUMNS: Column<ModelRow>[] = [
  {
    key: "name",
    title: "Model",
    width: "minmax(160px, 2fr)",
    cell: (row) => row.name,
    order: (row) => row.name,
  },
  { key: "latest", title: "Latest", width: "80px", numeric: true, cell: (row) => row.latest ?? "–" },
  {
    key: "updated",
    title: "Updated",
    width: "120px",
    cell: (row) => <Time at={row.updated} />,
    order: (row) => row.updated,
  },
];

export default function ModelsPage() {
  const place = usePlace();
  const rows = useCommand("models.list", {});
  return (
    <Page title="Models" flush>
      <Asked query={rows}>
        {(answer) =>
          answer.length === 0 ? (
            <Empty title="No models yet" cli="lapwing models register NAME runs:/ID/model">
              Train one with Run, then register the model that the run logged.
            </Empty>
          ) : (
            <Table
              label="Models"
              rows={answer}
              columns={COLUMNS}
              id={(row) => row.name}
              onOpen={(row) => place.go(pathTo("models", row.name))}
            />
          )
        }
      </Asked>
    </Page>
  );
}
