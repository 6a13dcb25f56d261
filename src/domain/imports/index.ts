export { failImport } from './fail-import.ts'
export {
  getImport,
  importInput,
  importPreview,
  importView,
  listImports,
  previewImport,
  requeueImports,
  runImport,
  startImport,
} from './imports.ts'
export { IMPORT_FIELDS, IMPORT_KINDS } from './read-csv.ts'
