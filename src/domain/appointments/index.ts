export { bookAppointment, cancelAppointment, confirmAppointment } from './book-appointment.ts'
export {
  bookHeld,
  bookSlot,
  cancelByCustomer,
  canStillChange,
  fullDates,
  moveByCustomer,
  offerMoves,
  offerSlots,
  readSlot,
  refuseTime,
  type SlotRequest,
  visitOfMove,
} from './booking.ts'
export { type BookingLinks, createBookingLinks } from './booking-links.ts'
export { readCalendar } from './business-calendar.ts'
export {
  appointmentChanges,
  appointmentMove,
  createAppointment,
  moveAppointment,
  newAppointment,
  noteNoShow,
  restoreAppointment,
  updateAppointment,
} from './change-appointment.ts'
export { requestDeposit, settleDeposits, settleHolds } from './deposits.ts'
export { type BusinessHours, businessHours, DEFAULT_HOURS, hoursOf, lastClosing, weekOf } from './hours.ts'
export { endNoticeCall, noteNoticeStatus, type SpokenNotice, speakNotice, takeNoticeKey } from './notice-calls.ts'
export type { NoticeDeps, NoticeLinks } from './notice-deps.ts'
export { answersReminder, readReplies, takeNoticeSms } from './notice-replies.ts'
export { noticeTextsView, sayUntil, sayWhen, usualTexts } from './notice-texts.ts'
export { sendNotices } from './notices.ts'
export { isOffer } from './offer-waiting.ts'
export {
  absenceInput,
  absenceView,
  addAbsence,
  archiveService,
  archiveStaff,
  bookingSettingsInput,
  findBookingPage,
  getBookingSettings,
  listAbsences,
  listServices,
  listStaff,
  orderServices,
  removeAbsence,
  saveBookingSettings,
  saveService,
  saveStaff,
  serviceInput,
  serviceOrder,
  serviceView,
  staffInput,
  staffView,
} from './offerings.ts'
export { cancelByCalendar, moveByCalendar } from './outside-change.ts'
export { lastDate } from './place.ts'
export {
  type AppointmentEnd,
  appointmentFilters,
  appointmentOfPayment,
  appointmentView,
  endOf,
  getAppointment,
  listAppointments,
  readAppointmentRow,
  withPayUrl,
} from './queries.ts'
export { type AppointmentToolArgs, type AppointmentToolName, appointmentTools } from './tools.ts'
export {
  cancelWaiting,
  joinWaitingList,
  listWaiting,
  newWaiting,
  offerAllWaiting,
  readWaitingRow,
  takeOffer,
  waitingView,
} from './waiting-list.ts'
export type { AppointmentRow } from './write-appointment.ts'
