export default {
  input: "../../openapi.yaml",
  output: { path: "generated/typescript", importFileExtension: ".js" },
  plugins: ["@hey-api/client-fetch", "@hey-api/sdk", "@hey-api/typescript"],
};
