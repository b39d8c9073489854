package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/smtp"
	"os"
	"os/exec"
	"strings"
	"time"
)

// action is what an alarm does. After an error it is tried again.
type action func(ctx context.Context, message string) error

// choose makes the action that the flags ask for.
func choose(
	out io.Writer, dryRun bool, to, from, server string, args []string,
) (act action, err error) {
	var what string
	switch {
	case to != "":
		act, what = mail(server, from, to), "send a mail to "+to
	case len(args) > 0:
		act, what = command(args), "run "+strings.Join(args, " ")
	default:
		return nil, errors.New("say what to do: -mail-to ADDRESS, or a command after --")
	}
	if dryRun {
		act = func(context.Context, string) error {
			_, err := fmt.Fprintln(out, "dry run: would", what)
			return err
		}
	}
	return act, nil
}

func command(args []string) action {
	return func(ctx context.Context, message string) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute) // nobody watches the UPS meanwhile
		defer cancel()
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Env = append(os.Environ(), "UPS_MESSAGE="+message)
		if output, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", args[0], err, output)
		}
		return nil
	}
}

func mail(server, from, to string) action {
	return func(_ context.Context, message string) error {
		text := "From: " + from + "\r\nTo: " + to + "\r\n" +
			"Subject: UPS: " + message + "\r\n\r\n" + message + "\r\n"
		return smtp.SendMail(server, nil, from, []string{to}, []byte(text))
	}
}
