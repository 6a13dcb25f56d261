CREATE TABLE "model_reservations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"purpose" text NOT NULL,
	"model" text NOT NULL,
	"conversation_id" uuid,
	"call_id" uuid,
	"input" integer NOT NULL,
	"output" integer NOT NULL,
	"cost_micros" bigint,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "model_reservations_purpose" CHECK ("model_reservations"."purpose" in ('whatsapp', 'chat', 'summary', 'transcription', 'judge'))
);
--> statement-breakpoint
CREATE TABLE "model_settings" (
	"business_id" uuid PRIMARY KEY NOT NULL,
	"model" text,
	"fallback" text,
	"monthly_micros" bigint NOT NULL,
	"unpriced_monthly" bigint NOT NULL,
	"conversation_hourly" integer NOT NULL,
	"conversation_daily" integer NOT NULL,
	"prices" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "model_subject_uses" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"conversation_id" uuid,
	"call_id" uuid,
	"model" text NOT NULL,
	"hour" timestamp with time zone NOT NULL,
	"requests" integer DEFAULT 0 NOT NULL,
	"estimated" integer DEFAULT 0 NOT NULL,
	"input" bigint DEFAULT 0 NOT NULL,
	"cached" bigint DEFAULT 0 NOT NULL,
	"output" bigint DEFAULT 0 NOT NULL,
	"cost_micros" bigint DEFAULT 0 NOT NULL,
	"unpriced" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "model_subject_uses_subject" CHECK (num_nonnulls("model_subject_uses"."conversation_id", "model_subject_uses"."call_id") = 1)
);
--> statement-breakpoint
CREATE TABLE "model_troubles" (
	"business_id" uuid NOT NULL,
	"model" text NOT NULL,
	"trouble" text NOT NULL,
	"failed_at" timestamp with time zone NOT NULL,
	CONSTRAINT "model_troubles_business_id_model_pk" PRIMARY KEY("business_id","model"),
	CONSTRAINT "model_troubles_trouble" CHECK ("model_troubles"."trouble" in ('refused', 'quota'))
);
--> statement-breakpoint
CREATE TABLE "model_uses" (
	"business_id" uuid NOT NULL,
	"day" date NOT NULL,
	"model" text NOT NULL,
	"purpose" text NOT NULL,
	"requests" integer DEFAULT 0 NOT NULL,
	"estimated" integer DEFAULT 0 NOT NULL,
	"input" bigint DEFAULT 0 NOT NULL,
	"cached" bigint DEFAULT 0 NOT NULL,
	"output" bigint DEFAULT 0 NOT NULL,
	"cost_micros" bigint DEFAULT 0 NOT NULL,
	"unpriced" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "model_uses_business_id_day_model_purpose_pk" PRIMARY KEY("business_id","day","model","purpose"),
	CONSTRAINT "model_uses_purpose" CHECK ("model_uses"."purpose" in ('whatsapp', 'chat', 'summary', 'transcription', 'judge'))
);
--> statement-breakpoint
ALTER TABLE "business_credentials" DROP CONSTRAINT "business_credentials_provider";--> statement-breakpoint
ALTER TABLE "model_reservations" ADD CONSTRAINT "model_reservations_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_reservations" ADD CONSTRAINT "model_reservations_conversation_fk" FOREIGN KEY ("business_id","conversation_id") REFERENCES "public"."conversations"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_reservations" ADD CONSTRAINT "model_reservations_call_fk" FOREIGN KEY ("business_id","call_id") REFERENCES "public"."calls"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_settings" ADD CONSTRAINT "model_settings_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_subject_uses" ADD CONSTRAINT "model_subject_uses_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_subject_uses" ADD CONSTRAINT "model_subject_uses_conversation_fk" FOREIGN KEY ("business_id","conversation_id") REFERENCES "public"."conversations"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_subject_uses" ADD CONSTRAINT "model_subject_uses_call_fk" FOREIGN KEY ("business_id","call_id") REFERENCES "public"."calls"("business_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_troubles" ADD CONSTRAINT "model_troubles_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_uses" ADD CONSTRAINT "model_uses_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "model_reservations_business" ON "model_reservations" USING btree ("business_id","expires_at");--> statement-breakpoint
CREATE INDEX "model_reservations_conversation" ON "model_reservations" USING btree ("conversation_id");--> statement-breakpoint
CREATE INDEX "model_reservations_call" ON "model_reservations" USING btree ("call_id");--> statement-breakpoint
CREATE UNIQUE INDEX "model_subject_uses_conversation" ON "model_subject_uses" USING btree ("conversation_id","hour","model");--> statement-breakpoint
CREATE UNIQUE INDEX "model_subject_uses_call" ON "model_subject_uses" USING btree ("call_id","hour","model");--> statement-breakpoint
CREATE INDEX "model_subject_uses_business" ON "model_subject_uses" USING btree ("business_id");--> statement-breakpoint
ALTER TABLE "business_credentials" ADD CONSTRAINT "business_credentials_provider" CHECK ("business_credentials"."provider" in ('twilio', 'openai', 'anthropic', 'google', 'compatible', 'paypal', 'tranzila'));