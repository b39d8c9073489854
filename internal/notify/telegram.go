package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
)

// sendTelegram sends to each chat of a telegram URL. That of shoutrrr v0.13.2 says that a message
// was sent when there is no connection at all.
func sendTelegram(ctx context.Context, c *telegram.Config, text string) error {
	var errs []error
	for _, chat := range c.Chats {
		errs = append(errs, sendChat(ctx, c, chat, text))
	}
	return errors.Join(errs...)
}

func sendChat(ctx context.Context, c *telegram.Config, chat, text string) error {
	id, thread, _ := strings.Cut(chat, ":")
	message := struct {
		Chat    string `json:"chat_id"`
		Thread  int    `json:"message_thread_id,omitempty"`
		Text    string `json:"text"`
		Silent  bool   `json:"disable_notification,omitempty"`
		NoLinks bool   `json:"disable_web_page_preview,omitempty"`
	}{Chat: id, Text: text, Silent: !c.Notification, NoLinks: !c.Preview}
	message.Thread, _ = strconv.Atoi(thread)
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"https://api.telegram.org/bot"+c.Token+"/sendMessage", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	said, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if response.StatusCode == http.StatusBadRequest && bytes.Contains(said, []byte("chat not found")) {
		return errors.New("chat not found")
	}
	return fmt.Errorf("status %d", response.StatusCode)
}
