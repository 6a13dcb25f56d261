export {
  type AppointmentRequest,
  bookAppointment,
  cancelAppointment,
  listAppointments,
} from './book-appointment.ts'
export { type BusinessHours, businessHours, DEFAULT_HOURS, instantOf, isOpen, wallClock } from './hours.ts'
