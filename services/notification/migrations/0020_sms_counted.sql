-- SMS that left on a day, Vietnamese time: to one phone, and to all ('').

CREATE TABLE sms_counted (
    day       date NOT NULL,
    recipient text NOT NULL,
    sent      integer NOT NULL,
    PRIMARY KEY (day, recipient)
);
