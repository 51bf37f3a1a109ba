import { Page } from "../shared/ui";

export default function P() {
  return <Page title="remotes">{null}</Page>;
}
