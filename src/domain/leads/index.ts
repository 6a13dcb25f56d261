export {
  createLead,
  insertLead,
  leadChanges,
  moveLead,
  newLead,
  removeLead,
  updateLead,
} from './change-lead.ts'
export { earlierColumns, earlierView, presentName, withEarlierNames, withPresentNames } from './earlier-names.ts'
export { dateLead, fillLead, setLeadContact } from './fill-lead.ts'
export {
  boardColumn,
  getLead,
  leadFilters,
  leadHistoryEntry,
  leadView,
  listLeadHistory,
  listLeads,
  readBoard,
  readColumn,
} from './queries.ts'
export { saveLead } from './save-lead.ts'
export { leadStage, listStages, saveStages, stageKey } from './stages.ts'
